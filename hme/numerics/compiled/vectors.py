"""Eight numbers at a time, as a type of Numba: what must stay in registers is written with it.

Loops over arrays become SIMD instructions by themselves, but sums that are kept over an inner loop of unknown length
do not stay in registers, and which lanes take part cannot be said. `Vector` has the usual operators, with numbers as
well, which stand for eight of them.
"""

import operator

from llvmlite import ir
from numba import types
from numba.extending import intrinsic, lower_builtin, models, register_model, type_callable

from .scalars import BIAS, LN2_HIGH, LN2_LOW, LOG2_E, MANTISSA, ROUNDER, SMALLEST, exp_series, inline, kernel

__all__ = [
    "EIGHT",
    "add_terms",
    "at_most",
    "broadcast",
    "exp",
    "first_lane",
    "lanes_at_most",
    "lanes_not_zero",
    "load",
    "splat",
    "store",
    "sum_of",
    "where",
]

EIGHT = 8
_numbers = ir.VectorType(ir.DoubleType(), EIGHT)
_integers = ir.VectorType(ir.IntType(64), EIGHT)


def _all(kind, value):
    return ir.Constant(kind, [value] * EIGHT)


class Vector(types.Type):
    """Eight numbers of double precision."""

    def __init__(self):
        super().__init__(name="Vector")


vector = Vector()


@register_model(Vector)
class _Model(models.PrimitiveModel):
    def __init__(self, manager, kind):
        super().__init__(manager, kind, _numbers)


def _splat(builder, value):
    nothing, first = ir.Constant(_numbers, ir.Undefined), ir.IntType(32)
    lane = builder.insert_element(nothing, value, first(0))
    return builder.shuffle_vector(lane, nothing, _all(ir.VectorType(first, EIGHT), 0))


def _operator(function, instruction):
    """Define an operator of two vectors, or of a vector and a number."""

    @type_callable(function)
    def of_two(context):
        def typer(a, b):
            if (a == vector and b in (vector, types.float64)) or (a == types.float64 and b == vector):
                return vector

        return typer

    def build(context, builder, signature, arguments):
        both = [
            value if kind == vector else _splat(builder, value)
            for kind, value in zip(signature.args, arguments, strict=True)
        ]
        return getattr(builder, instruction)(*both)

    for pair in ((vector, vector), (vector, types.float64), (types.float64, vector)):
        lower_builtin(function, *pair)(build)


for _function, _instruction in (
    (operator.add, "fadd"), (operator.sub, "fsub"), (operator.mul, "fmul"), (operator.truediv, "fdiv"),
    (operator.iadd, "fadd"), (operator.isub, "fsub"), (operator.imul, "fmul"),
):  # fmt: skip
    _operator(_function, _instruction)


def _place(context, builder, kind, array, index):
    """Pointer to the vector that begins at the number `index` of an array in C's order, however many axes it has."""
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), _numbers.as_pointer())


@intrinsic
def load(context, array, index):
    def build(context, builder, signature, arguments):
        return builder.load(_place(context, builder, signature.args[0], *arguments), align=8)

    return vector(array, types.int64), build


@intrinsic
def broadcast(context, array, index):
    """Eight times the number `index` of an array in C's order."""

    def build(context, builder, signature, arguments):
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        return _splat(builder, builder.load(builder.gep(data, [arguments[1]])))

    return vector(array, types.int64), build


@intrinsic
def store(context, array, index, value):
    def build(context, builder, signature, arguments):
        place = _place(context, builder, signature.args[0], *arguments[:2])
        builder.store(arguments[2], place, align=8)
        return context.get_dummy_value()

    return types.void(array, types.int64, vector), build


@intrinsic
def splat(context, number):
    def build(context, builder, signature, arguments):
        return _splat(builder, arguments[0])

    return vector(types.float64), build


def _lanes(builder, truth):
    """Eight truth values as the lowest bits of an integer."""
    return builder.zext(builder.bitcast(truth, ir.IntType(EIGHT)), ir.IntType(64))


@intrinsic
def lanes_not_zero(context, a):
    """Bits of the lanes that are not zero; nan is not."""

    def build(context, builder, signature, arguments):
        return _lanes(builder, builder.fcmp_unordered("!=", arguments[0], _all(_numbers, 0.0)))

    return types.int64(vector), build


@intrinsic
def lanes_at_most(context, a, b):
    """Bits of the lanes in which a is no more than b, which nan is not."""

    def build(context, builder, signature, arguments):
        return _lanes(builder, builder.fcmp_ordered("<=", *arguments))

    return types.int64(vector, vector), build


@intrinsic
def where(context, truth, a):
    """a where `truth`, which is one for all lanes, else zero; without a branch, which would be guessed wrong."""

    def build(context, builder, signature, arguments):
        whole, index = ir.IntType(64), ir.IntType(32)
        nothing = ir.Constant(_integers, ir.Undefined)
        lane = builder.insert_element(nothing, builder.sext(arguments[0], whole), index(0))
        mask = builder.shuffle_vector(lane, nothing, _all(ir.VectorType(index, EIGHT), 0))
        return builder.bitcast(builder.and_(mask, builder.bitcast(arguments[1], _integers)), _numbers)

    return vector(types.boolean, vector), build


@intrinsic
def at_most(context, a, b, then, otherwise):
    """Lane by lane `then` where a <= b, else `otherwise`."""

    def build(context, builder, signature, arguments):
        return builder.select(builder.fcmp_ordered("<=", *arguments[:2]), *arguments[2:])

    return vector(vector, vector, vector, vector), build


@intrinsic
def first_lane(context, lanes):
    """Number of the lowest bit that is set."""

    def build(context, builder, signature, arguments):
        return builder.cttz(arguments[0], ir.IntType(1)(1))

    return types.int64(types.int64), build


@intrinsic
def sum_of(context, a):
    """The sum of the lanes."""

    def build(context, builder, signature, arguments):
        total, size, index = arguments[0], EIGHT, ir.IntType(32)
        while size > 1:
            size //= 2
            halves = [
                builder.shuffle_vector(
                    total, total, ir.Constant(ir.VectorType(index, size), list(range(first, first + size)))
                )
                for first in (0, size)
            ]
            total = builder.fadd(*halves)
        return builder.extract_element(total, index(0))

    return types.float64(vector), build


@intrinsic
def _power(context, shifted):
    """2 to the integers that stand in the lowest bits."""

    def build(context, builder, signature, arguments):
        bits = builder.add(builder.bitcast(arguments[0], _integers), _all(_integers, BIAS))
        return builder.bitcast(builder.shl(bits, _all(_integers, MANTISSA)), _numbers)

    return vector(vector), build


@inline
def exp(x):
    """e^x for x up to 700; zero below -708; as `scalars.exp`."""
    least = splat(SMALLEST)
    held = at_most(x, least, least, x)  # nan is not
    shifted = held * LOG2_E + ROUNDER
    turns = shifted - ROUNDER
    value = exp_series((held - turns * LN2_HIGH) - turns * LN2_LOW) * _power(shifted)
    return at_most(x, least, splat(0.0), value)


# -- sums that stay in registers ---------------------------------------------------------------------------------------


@kernel
def add_terms(sums, chosen, terms, share, offset, lanes):
    """Add terms (LANES, q), times the shares of the lanes, to the `chosen` rows of sums (K, q).

    Row k has the shares ``share[offset + k]``, and ``lanes[offset + k]`` are the lanes that have any, as bits; q is a
    multiple of sixteen. A few columns of all lanes stay in the first cache while all rows take them.
    """
    n_lanes, q = terms.shape
    column = 0
    while column < q:
        left = q - column
        size = 6 if left == 6 * EIGHT or left >= 10 * EIGHT else (4 if left >= 4 * EIGHT else 2)
        for k in chosen:
            place, first, own = k * q + column, (offset + k) * n_lanes, lanes[offset + k]
            if size == 6:
                _add_six(sums, place, terms, q, column, share, first, own)
            elif size == 4:
                _add_four(sums, place, terms, q, column, share, first, own)
            else:
                _add_two(sums, place, terms, q, column, share, first, own)
        column += size * EIGHT


@inline
def _add_six(sums, at, terms, q, column, share, first, lanes):
    a, b, c = load(sums, at), load(sums, at + EIGHT), load(sums, at + 2 * EIGHT)
    d, e, f = load(sums, at + 3 * EIGHT), load(sums, at + 4 * EIGHT), load(sums, at + 5 * EIGHT)
    while lanes != 0:
        lane = first_lane(lanes)
        lanes &= lanes - 1
        own, place = broadcast(share, first + lane), lane * q + column
        a += own * load(terms, place)
        b += own * load(terms, place + EIGHT)
        c += own * load(terms, place + 2 * EIGHT)
        d += own * load(terms, place + 3 * EIGHT)
        e += own * load(terms, place + 4 * EIGHT)
        f += own * load(terms, place + 5 * EIGHT)
    store(sums, at, a)
    store(sums, at + EIGHT, b)
    store(sums, at + 2 * EIGHT, c)
    store(sums, at + 3 * EIGHT, d)
    store(sums, at + 4 * EIGHT, e)
    store(sums, at + 5 * EIGHT, f)


@inline
def _add_four(sums, at, terms, q, column, share, first, lanes):
    a, b, c, d = load(sums, at), load(sums, at + EIGHT), load(sums, at + 2 * EIGHT), load(sums, at + 3 * EIGHT)
    while lanes != 0:
        lane = first_lane(lanes)
        lanes &= lanes - 1
        own, place = broadcast(share, first + lane), lane * q + column
        a += own * load(terms, place)
        b += own * load(terms, place + EIGHT)
        c += own * load(terms, place + 2 * EIGHT)
        d += own * load(terms, place + 3 * EIGHT)
    store(sums, at, a)
    store(sums, at + EIGHT, b)
    store(sums, at + 2 * EIGHT, c)
    store(sums, at + 3 * EIGHT, d)


@inline
def _add_two(sums, at, terms, q, column, share, first, lanes):
    a, b = load(sums, at), load(sums, at + EIGHT)
    while lanes != 0:
        lane = first_lane(lanes)
        lanes &= lanes - 1
        own, place = broadcast(share, first + lane), lane * q + column
        a += own * load(terms, place)
        b += own * load(terms, place + EIGHT)
    store(sums, at, a)
    store(sums, at + EIGHT, b)
