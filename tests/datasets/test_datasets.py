"""Generators against their formulas, the robot arm against mechanics, the loader against the file."""

import numpy as np
import pytest
from problems import slow_case
from scipy.integrate import solve_ivp

from hme import datasets
from hme.datasets import (
    arm_acceleration,
    arm_energy,
    arm_inverse_dynamics,
    arm_mass_matrix,
    load_motorcycle,
    load_sunspots,
    make_heteroscedastic,
    make_inverse_problem,
    make_regimes,
    make_robot_arm,
    make_two_spirals,
)

GENERATORS = [make_heteroscedastic, make_inverse_problem, make_regimes, make_robot_arm, make_two_spirals]


def random_states(n, seed=0):
    rng = np.random.default_rng(seed)
    return rng.uniform(-np.pi, np.pi, (n, 4)), rng.uniform(-3, 3, (n, 4)), rng.uniform(-5, 5, (n, 4))


# Robot arm ------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("start", [[0.2, -0.4, -1.0, 0.5], slow_case([1.0, 0.3, -0.5, -0.8])])
def test_free_arm_conserves_energy_and_vertical_angular_momentum(start):
    start = np.concatenate([start, [1.5, -0.5, 1.0, 2.0]])

    def motion(_, state):
        return np.concatenate([state[4:], arm_acceleration(state[:4], state[4:], np.zeros(4))])

    path = solve_ivp(motion, (0, 0.4), start, method="DOP853", rtol=1e-10, atol=1e-12)
    q, qd = path.y[:4].T, path.y[4:].T
    assert np.ptp(q, axis=0).min() > 0.1  # every joint has moved
    energy = arm_energy(q, qd)
    kinetic = 0.5 * np.einsum("ni,nij,nj->n", qd, arm_mass_matrix(q), qd)
    assert np.abs(energy - energy[0]).max() < 1e-6 * np.abs(kinetic).max()
    # Gravity has no moment about the vertical yaw axis.
    momentum = np.einsum("nj,nj->n", arm_mass_matrix(q)[:, 0], qd)
    np.testing.assert_allclose(momentum, momentum[0], atol=1e-8)


def test_mass_matrix_is_symmetric_positive_definite_and_gives_the_kinetic_energy():
    q, qd, _ = random_states(200)
    mass = arm_mass_matrix(q)
    np.testing.assert_allclose(mass, mass.transpose(0, 2, 1), atol=1e-12)
    assert np.linalg.eigvalsh(mass).min() > 0
    kinetic = arm_energy(q, qd) - arm_energy(q, np.zeros(4))
    np.testing.assert_allclose(kinetic, 0.5 * np.einsum("ni,nij,nj->n", qd, mass, qd), rtol=1e-10, atol=1e-12)


def test_power_of_the_torques_is_the_rate_of_the_energy():
    q, qd, torque = random_states(100)
    qdd = arm_acceleration(q, qd, torque)
    h = 1e-5
    later = arm_energy(q + h * qd + h**2 / 2 * qdd, qd + h * qdd)
    before = arm_energy(q - h * qd + h**2 / 2 * qdd, qd - h * qdd)
    power = (torque * qd).sum(axis=1)
    np.testing.assert_allclose((later - before) / (2 * h), power, atol=1e-5 * np.abs(power).max())


def test_gravity_torque_is_the_gradient_of_the_potential_and_holds_the_arm():
    q, _, _ = random_states(50)
    still = np.zeros((50, 4))
    gravity = arm_inverse_dynamics(q, still, still)
    h = 1e-6
    gradient = [(arm_energy(q + h * e, still) - arm_energy(q - h * e, still)) / (2 * h) for e in np.eye(4)]
    np.testing.assert_allclose(gravity, np.transpose(gradient), atol=1e-7)
    np.testing.assert_allclose(arm_acceleration(q, still, gravity), 0, atol=1e-9)


def test_inverse_dynamics_inverts_forward_dynamics():
    q, qd, torque = random_states(50)
    np.testing.assert_allclose(arm_inverse_dynamics(q, qd, arm_acceleration(q, qd, torque)), torque, atol=1e-9)
    single = arm_acceleration(q[3], qd[3], torque[3])
    np.testing.assert_allclose(single, arm_acceleration(q, qd, torque)[3], rtol=1e-10)


def test_locked_elbow_and_wrist_make_a_pendulum():
    # Straight arm: moment of inertia about the shoulder by Steiner's rule, gravity torque from the lever arms.
    x, mass = np.array([0.15, 0.30 + 0.13, 0.56 + 0.09]), np.array([2.0, 1.2, 0.5])
    length, radius = np.array([0.30, 0.26, 0.18]), np.array([0.05, 0.04, 0.03])
    inertia = (mass * (3 * radius**2 + length**2) / 12 + mass * x**2).sum()
    angle = np.linspace(-1, 1, 9)
    q = np.column_stack([0 * angle, angle, 0 * angle, 0 * angle])
    np.testing.assert_allclose(arm_mass_matrix(q)[:, 1, 1], inertia)
    # Positive pitch lowers the arm, so that gravity needs a negative holding torque.
    holding = arm_inverse_dynamics(q, 0 * q, 0 * q)[:, 1]
    np.testing.assert_allclose(holding, -9.81 * (mass @ x) * np.cos(angle), rtol=1e-12)


def test_robot_arm_data():
    X, y, truth = make_robot_arm(4000, noise=0.2, random_state=0)
    assert X.shape == (4000, 12) and y.shape == (4000, 4)
    assert len(truth.feature_names) == 12 and len(truth.target_names) == 4
    np.testing.assert_allclose(arm_acceleration(X[:, :4], X[:, 4:8], X[:, 8:]), truth.mean)
    np.testing.assert_allclose((y - truth.mean).std(axis=0), truth.noise_std, rtol=0.05)
    np.testing.assert_allclose(truth.noise_std, 0.2 * truth.mean.std(axis=0))
    high = np.concatenate([truth.position_range[:, 1], truth.velocity_range, truth.torque_range])
    low = np.concatenate([truth.position_range[:, 0], -truth.velocity_range, -truth.torque_range])
    assert (X >= low).all() and (X <= high).all()
    assert (np.ptp(X, axis=0) > 0.99 * (high - low)).all()
    _, y, truth = make_robot_arm(10, random_state=0)
    np.testing.assert_array_equal(y, truth.mean)


# Other generators -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_experts, structure", [(1, "tree"), (2, "tree"), (8, "tree"), (5, "flat")])
def test_regimes(n_experts, structure):
    noise = np.linspace(0.1, 0.4, n_experts)
    X, y, truth = make_regimes(20000, 3, n_experts, noise=noise, random_state=1)
    rows = np.arange(len(X))
    assert truth.structure == structure
    np.testing.assert_allclose(truth.gate_proba.sum(axis=1), 1)
    np.testing.assert_allclose(truth.expert_mean, X @ truth.coef.T + truth.intercept)
    np.testing.assert_allclose(truth.mean, (truth.gate_proba * truth.expert_mean).sum(axis=1))
    # Labels follow the probabilities, and each expert owns a real share of the rows.
    share = np.bincount(truth.label, minlength=n_experts) / len(X)
    np.testing.assert_allclose(share, truth.gate_proba.mean(axis=0), atol=0.02)
    assert share.min() > 0.3 / n_experts
    residual = y - truth.expert_mean[rows, truth.label]
    spread = [residual[truth.label == k].std() for k in range(n_experts)]
    np.testing.assert_allclose(spread, noise, rtol=0.1)


def test_regimes_tree_gate_is_a_product_of_logistic_splits():
    X, _, truth = make_regimes(50, n_experts=4, random_state=0)
    np.testing.assert_allclose(np.linalg.norm(truth.gate_coef, axis=1), 10)
    right = 1 / (1 + np.exp(-(X @ truth.gate_coef.T + truth.gate_intercept)))
    np.testing.assert_allclose(truth.gate_proba[:, 2], right[:, 0] * (1 - right[:, 2]), rtol=1e-10)
    np.testing.assert_allclose(truth.gate_proba[:, 1], (1 - right[:, 0]) * right[:, 1], rtol=1e-10)


def test_regimes_model_does_not_depend_on_n_samples():
    small, large = (make_regimes(n, random_state=3)[2] for n in (10, 1000))
    for key in ("coef", "intercept", "gate_coef", "gate_intercept"):
        np.testing.assert_array_equal(small[key], large[key])


def test_inverse_problem_identity():
    X, t, truth = make_inverse_problem(500, noise=0.05, random_state=0)
    np.testing.assert_allclose(X[:, 0], t + 0.3 * np.sin(2 * np.pi * t) + truth.noise)
    np.testing.assert_array_equal(X[:, 0], truth.forward + truth.noise)
    assert np.abs(truth.noise).max() <= 0.05 and t.min() >= 0 and t.max() <= 1


def test_heteroscedastic_noise_has_the_stated_moments():
    X, y, truth = make_heteroscedastic(50000, random_state=0)
    x = X[:, 0]
    np.testing.assert_allclose(truth.mean, np.sin(2.5 * x) * np.sin(1.5 * x))
    np.testing.assert_allclose(truth.std**2, 0.01 + 0.25 * (1 - np.sin(2.5 * x)) ** 2)
    score = (y - truth.mean) / truth.std
    for part in np.array_split(score[np.argsort(x)], 10):
        assert abs(part.mean()) < 0.06 and abs(part.std() - 1) < 0.05


@pytest.mark.parametrize("n", [2, 3, 194, 501])
def test_spirals(n):
    X, y, truth = make_two_spirals(n)
    assert X.shape == (n, 2) and set(y) == {0, 1}
    assert y.sum() - (1 - y).sum() == n % 2
    pairs = n // 2
    np.testing.assert_array_equal(X[y == 1][:pairs], -X[y == 0])
    np.testing.assert_allclose(np.hypot(*X.T), truth.radius)
    if n > 3:
        assert truth.angle.max() == pytest.approx(6 * np.pi)
        assert (truth.radius.max(), truth.radius.min()) == pytest.approx((6.5, 0.5))


def test_spiral_noise():
    X, _, truth = make_two_spirals(5000, noise=0.3, random_state=0)
    np.testing.assert_allclose((X - truth.clean).std(axis=0), 0.3, rtol=0.05)


@pytest.mark.parametrize("generator", GENERATORS)
def test_seed_fixes_the_data(generator):
    options = {"noise": 0.1, "n_samples": 40}
    (X, y, _), (X_same, y_same, _) = (generator(random_state=7, **options) for _ in range(2))
    np.testing.assert_array_equal(X, X_same)
    np.testing.assert_array_equal(y, y_same)
    X_other, y_other, _ = generator(random_state=np.random.RandomState(8), **options)
    assert not np.array_equal(X, X_other)
    assert len(X) == len(y) == 40 and X.dtype == float


# Loader ---------------------------------------------------------------------------------------------------


def test_motorcycle():
    bunch = load_motorcycle()
    assert bunch.data.shape == (133, 1) and bunch.target.shape == (133,) and bunch.frame is None
    assert (bunch.data[0, 0], bunch.target[0]) == (2.4, 0.0)
    assert (bunch.data[-1, 0], bunch.target[-1]) == (57.6, 10.7)
    assert bunch.target.min() == -134.0 and (np.diff(bunch.data[:, 0]) >= 0).all()
    assert "Silverman" in bunch.DESCR and "Licence" in bunch.DESCR
    X, y = load_motorcycle(return_X_y=True)
    np.testing.assert_array_equal(X, bunch.data)
    np.testing.assert_array_equal(y, bunch.target)


def test_motorcycle_frame():
    pytest.importorskip("pandas")
    bunch = load_motorcycle(as_frame=True)
    assert list(bunch.frame.columns) == ["times", "accel"] and len(bunch.frame) == 133
    X, y = load_motorcycle(return_X_y=True, as_frame=True)
    assert list(X.columns) == ["times"] and y.name == "accel"


def test_sunspots():
    bunch = load_sunspots()
    np.testing.assert_array_equal(bunch.data[:, 0], np.arange(1700, 2009))
    assert bunch.feature_names == ["year"] and bunch.target_names == ["number"]
    high, low = bunch.target.argmax(), np.flatnonzero(bunch.target == 0)
    assert (bunch.data[high, 0], bunch.target[high]) == (1957, 190.2)
    np.testing.assert_array_equal(bunch.data[low, 0], [1711, 1712, 1810])
    assert "NOAA" in bunch.DESCR and "Licence" in bunch.DESCR
    year, number = load_sunspots(return_X_y=True, as_frame=True)
    assert list(year.columns) == ["year"] and number.name == "number"


# Errors ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("generator", GENERATORS)
@pytest.mark.parametrize(
    "name, value",
    [
        ("n_samples", 0),
        ("n_samples", 2.5),
        ("n_samples", True),
        ("noise", -1),
        ("noise", np.nan),
        ("noise", "low"),
    ],
)
def test_generators_name_the_bad_parameter(generator, name, value):
    with pytest.raises((TypeError, ValueError), match=f"{name} must be .* got {value!r}"):
        generator(**{name: value})


@pytest.mark.parametrize(
    "function, options, message",
    [
        (make_regimes, {"n_features": 0}, "n_features must be an integer >= 1, got 0"),
        (make_regimes, {"n_experts": 0}, "n_experts must be an integer >= 1, got 0"),
        (make_regimes, {"n_experts": 6, "structure": "tree"}, "n_experts must be a power of two .* got 6"),
        (make_regimes, {"structure": "deep"}, "structure must be 'auto', 'tree' or 'flat', got 'deep'"),
        (make_regimes, {"sharpness": 0}, "sharpness must be a finite number > 0, got 0"),
        (make_regimes, {"noise": [0.1, 0.2]}, r"noise must be numeric and broadcast to shape \(4,\)"),
        (make_robot_arm, {"position_range": [1, 0]}, "position_range must have low <= high"),
        (make_robot_arm, {"velocity_range": -1}, "velocity_range must be finite and >= 0"),
        (make_robot_arm, {"torque_range": [1, 2]}, r"torque_range must be numeric and broadcast to shape \(4,\)"),
        (make_two_spirals, {"n_samples": 1}, "n_samples must be an integer >= 2, got 1"),
        (load_motorcycle, {"return_X_y": 1}, "return_X_y must be True or False, got 1"),
        (load_motorcycle, {"as_frame": "yes"}, "as_frame must be True or False, got 'yes'"),
        (load_sunspots, {"as_frame": 0}, "as_frame must be True or False, got 0"),
        (arm_mass_matrix, {"q": np.zeros(3)}, r"q must have shape \(4,\) or \(n, 4\), got shape \(3,\)"),
        (arm_energy, {"q": np.zeros((2, 4)), "qd": np.zeros((3, 4))}, "the same number of rows"),
    ],
)
def test_errors(function, options, message):
    with pytest.raises(ValueError, match=message):
        function(**options)


def test_all_names_exist():
    assert all(callable(getattr(datasets, name)) for name in datasets.__all__)
