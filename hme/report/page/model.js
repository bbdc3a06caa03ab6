"use strict";
// The model of the page: numbers in, predictions out. No part of it touches the document.

const KINDS = { f8: Float64Array, f4: Float32Array, u1: Uint8Array, u2: Uint16Array };

// An array of the page: { shape, values }, row by row.
function unpacked(one) {
  const text = atob(one.data), bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  let values = new KINDS[one.kind](bytes.buffer);
  if (one.kind === "u1") values = Float64Array.from(values, (v) => v / 255);
  return { shape: one.shape, values };
}

// A recipe whose arrays are unpacked, once: the tree, and the mixtures whose average predicts, of which it may be one.
function prepared(recipe) {
  const columns = recipe.columns.map(({ maps, start }) => ({ maps, start: start.map((one) => unpacked(one).values) }));
  const sizes = recipe.sizes.map((one) => preparedOne(columns, one));
  return { tree: recipe.tree ? preparedOne(columns, recipe.tree) : sizes[0], sizes };
}
function preparedOne(columns, one) {
  const made = { ...columns[one.columns], tree: one.children, share: one.share };
  made.bounds = one.bounds.map((ends) => (ends ? unpacked(ends) : null));
  made.gate = { ...one.gate };
  for (const name of ["coef", "mean", "root"]) if (one.gate[name]) made.gate[name] = unpacked(one.gate[name]);
  made.experts = { ...one.experts, coef: unpacked(one.experts.coef) };
  made.dist = one.dist && { ...one.dist, root: one.dist.root ? unpacked(one.dist.root) : null };
  return made;
}

// -- from a row of the user's table to priors, means and distributions -------------------------------------------------

// Polynomials between knots, in the shares of the way from one to the next, and straight lines beyond them.
function curve({ knots, start, powers, below, above }, x) {
  let sum = start + below * Math.min(x - knots[0], 0) + above * Math.max(x - knots[knots.length - 1], 0);
  powers.forEach((own, i) => {
    const share = Math.min(Math.max((x - knots[i]) / (knots[i + 1] - knots[i]), 0), 1);
    sum += own.reduceRight((power, coef) => (power + coef) * share, 0);
  });
  return sum;
}

// Design columns of a side, held at their ranges, with the intercept's one last; and what they were beyond the ranges.
function design(model, side, row) {
  const map = model.maps[side], bounds = model.bounds[side], q = map.length;
  const held = new Float64Array(q + 1), beyond = new Float64Array(q + 1);
  for (let j = 0; j < q; j++) {
    const form = map[j], value = row[form.column];
    const line = form.values ? form.values[value] : form.a + form.b * value, own = form.pieces ? curve(form.pieces, line) : line;
    held[j] = bounds ? Math.min(Math.max(own, bounds.values[j]), bounds.values[q + j]) : own;
    beyond[j] = own - held[j];
  }
  held[q] = 1;
  return { held, beyond };
}

function dot(values, start, x) {
  let sum = 0;
  for (let j = 0; j < x.length; j++) sum += values[start + j] * x[j];
  return sum;
}

function softmax(scores) {
  const top = Math.max(...scores), parts = scores.map((s) => Math.exp(s - top));
  const whole = parts.reduce((a, b) => a + b, 0);
  return parts.map((part) => part / whole);
}

// Branch probabilities of every gating node, and the priors of the leaves.
function priors(model, z) {
  const gate = model.gate, tree = model.tree;
  if (gate.kind === "constant") {
    const branches = tree.map((children) => {
      const mass = children.map((c) => (c === 0 ? 0 : below(tree, c).reduce((sum, k) => sum + gate.prior[k], 0)));
      const whole = mass.reduce((a, b) => a + b, 0);
      return mass.map((part) => (whole > 0 ? part / whole : 0));
    });
    return { prior: gate.prior, branches };
  }
  if (gate.kind !== "tree") {
    const prior = LEAVES[gate.kind](gate, z);
    return { prior, branches: [prior] };
  }
  const [, B, q] = gate.coef.shape, prior = [], branches = [];
  const reach = tree.map(() => 0);
  reach[0] = 1;
  tree.forEach((children, m) => {
    const used = children.map((c, b) => [c, b]).filter(([c]) => c !== 0);
    const shares = softmax(used.map(([, b]) => dot(gate.coef.values, (m * B + b) * q, z)));
    branches.push(children.map(() => 0));
    used.forEach(([c, b], i) => {
      branches[m][b] = shares[i];
      if (c > 0) reach[c] = reach[m] * shares[i];
      else prior[~c] = reach[m] * shares[i];
    });
  });
  return { prior, branches };
}

// Priors of gates over leaves: by normal densities around centres, or by the largest of linear scores.
const LEAVES = {
  near: ({ mean, root, constant }, z) => {
    const [K, q] = mean.shape, scores = constant.slice();
    for (let k = 0; k < K; k++)
      for (let i = 0; i < q; i++) {
        let sum = 0;
        for (let j = 0; j < q; j++) sum += root.values[(k * q + i) * q + j] * (z[j] - mean.values[k * q + j]);
        scores[k] -= 0.5 * sum * sum;
      }
    return softmax(scores);
  },
  largest: ({ coef, bias, k }, z) => {
    const scores = bias.map((_, leaf) => dot(coef.values, leaf * z.length, z));
    const order = bias.map((_, leaf) => leaf).sort((a, b) => scores[b] + bias[b] - scores[a] - bias[a] || a - b);
    const used = order.slice(0, k), shares = softmax(used.map((leaf) => scores[leaf])), prior = bias.map(() => 0);
    used.forEach((leaf, i) => { prior[leaf] = shares[i]; });
    return prior;
  },
};

// Leaves below a child of a node, which is a node itself or a leaf.
function below(tree, child) {
  if (child < 0) return [~child];
  return tree[child].filter((c) => c !== 0).flatMap((c) => below(tree, c));
}

const LINKS = { identity: (e) => e, log: Math.exp, logit: (e) => 1 / (1 + Math.exp(-e)), inverse: (e) => 1 / e };

// Means (K, T) of the experts, or class probabilities.
function means(model, x) {
  const { coef, kind, links } = model.experts, [K, T, p] = coef.shape, out = [];
  for (let k = 0; k < K; k++) {
    const scores = [];
    for (let t = 0; t < T; t++) scores.push(dot(coef.values, (k * T + t) * p, x));
    out.push(kind === "softmax" ? softmax(scores) : scores.map(LINKS[links[k]]));
  }
  return out;
}

// What a value of a column adds to the linear predictor of an output of expert k.
function added(model, k, t, column, value) {
  const { coef } = model.experts, [, T, p] = coef.shape, row = [];
  row[column] = value;
  const { held } = design(model, 0, row);
  return model.maps[0].reduce((sum, form, j) => (form.column === column ? sum + coef.values[(k * T + t) * p + j] * held[j] : sum), 0);
}

// The predictive distributions of the experts, of one output; null where they are not in the page.
function components(model, mean, x, beyond) {
  if (!model.dist) return null;
  const root = model.dist.root, whole = x.map((value, j) => value + beyond[j]);
  return model.dist.experts.map((one, k) => {
    let leverage = 0;
    if (root) {
      const [, p, r] = root.shape;
      for (let c = 0; c < r; c++) {
        let sum = 0;
        for (let j = 0; j < p; j++) sum += root.values[(k * p + j) * r + c] * whole[j];
        leverage += sum * sum;
      }
    }
    const parameters = {};
    for (const [name, form] of Object.entries(one.parameters)) {
      const line = form.a + form.b * (form.most ? Math.min(leverage, form.most) : leverage) + (form.c ? form.c / mean[k][0] : 0);
      const forms = { constant: form.a, mean: mean[k][0], linear: line, root: Math.sqrt(line), inverse: 1 / line };
      parameters[name] = forms[form.form];
    }
    return { ...DISTRIBUTIONS[one.name], parameters };
  });
}

// What one mixture says of a row.
function predictOne(model, row) {
  const gate = design(model, 1, row), expert = design(model, 0, row);
  const { prior, branches } = priors(model, gate.held), mean = means(model, expert.held);
  const whole = mean[0].map((_, t) => prior.reduce((sum, g, k) => sum + g * mean[k][t], 0));
  return { prior, branches, experts: mean, mean: whole, dist: components(model, mean, expert.held, expert.beyond) };
}

// All that the page says of a row, which holds a number or the code of a level for every column: path and experts of the
// tree; the mean, and the distributions with their weights, of all mixtures whose average predicts.
function predict(model, row) {
  const parts = model.sizes.map((one) => predictOne(one, row)), alone = model.tree === model.sizes[0];
  const { prior, branches, experts, mean: own } = alone ? parts[0] : predictOne(model.tree, row);
  const mean = own.map((_, t) => parts.reduce((sum, part, s) => sum + model.sizes[s].share * part.mean[t], 0));
  const weights = parts.flatMap((part, s) => part.prior.map((g) => g * model.sizes[s].share));
  const dist = parts.every((part) => part.dist) ? parts.flatMap((part) => part.dist) : null;
  return { prior, branches, experts, mean, own, weights, dist, alone };
}

// -- what columns add, as hme.explain tells it -------------------------------------------------------------------------

// Gauss-Legendre nodes on the whole way, in so many panels: pairs of place and weight.
function nodesOnLine(panels) {
  const places = [0.1834346424956498, 0.525532409916329, 0.7966664774136267, 0.9602898564975363];
  const weights = [0.362683783378362, 0.31370664587788727, 0.22238103445337445, 0.10122853629037626];
  const found = [];
  for (let i = 0; i < panels; i++)
    for (const sign of [-1, 1]) places.forEach((v, j) => found.push([(i + 0.5 * (1 + sign * v)) / panels, (0.5 * weights[j]) / panels]));
  return found;
}

// Parts that add up to a total: what is missing is shared in proportion to their sizes.
function balanced(parts, total) {
  const size = parts.reduce((sum, v) => sum + Math.abs(v), 0), rest = total - parts.reduce((sum, v) => sum + v, 0);
  return parts.map((v, j) => v + rest * (size > 0 ? Math.abs(v) / size : j === 0 ? 1 : 0));
}

// Integrated gradients of V functions: gradient(point) returns their slopes, V times J.
function integrated(gradient, start, end, before, after) {
  const J = start.length - 1;
  let parts;
  for (const panels of [4, 16, 64]) {
    parts = before.map(() => new Array(J).fill(0));
    for (const [place, weight] of nodesOnLine(panels)) {
      const slopes = gradient(start.map((v, j) => v + place * (end[j] - v)));
      slopes.forEach((own, v) => { for (let j = 0; j < J; j++) parts[v][j] += weight * own[j] * (end[j] - start[j]); });
    }
    const missing = Math.max(...parts.map((own, v) => Math.abs(own.reduce((a, b) => a + b, 0) - (after[v] - before[v]))));
    if (missing <= 1e-9 * Math.max(1, ...after.map((v, i) => Math.abs(v - before[i])))) break;
  }
  return parts.map((own, v) => balanced(own, after[v] - before[v]));
}

// Slopes (K, q) of the priors at design columns z.
function priorSlopes(model, z) {
  const { prior, branches } = priors(model, z), [, B, q] = model.gate.coef.shape, W = model.gate.coef.values, tree = model.tree;
  const slopes = prior.map(() => null);
  const walk = (m, sum) => {
    const mean = new Array(q - 1).fill(0);
    tree[m].forEach((c, b) => { if (c !== 0) for (let j = 0; j < q - 1; j++) mean[j] += branches[m][b] * W[(m * B + b) * q + j]; });
    tree[m].forEach((c, b) => {
      if (c === 0) return;
      const own = sum.map((v, j) => v + W[(m * B + b) * q + j] - mean[j]);
      if (c > 0) walk(c, own);
      else slopes[~c] = own.map((v) => v * prior[~c]);
    });
  };
  walk(0, new Array(q - 1).fill(0));
  return slopes;
}

// Parts of the changes of V functions, which are moved in steps: in each, every column goes first, and last.
const STEPS = 32;
function stepped(evaluate, start, end) {
  const J = start.length - 1, place = (share) => start.map((v, j) => v + share * (end[j] - v));
  const moving = Array.from({ length: J }, (_, j) => j).filter((j) => start[j] !== end[j]);
  const out = evaluate(start).map(() => new Array(J).fill(0));
  for (let i = 0; i < STEPS; i++) {
    const from = place(i / STEPS), to = place((i + 1) / STEPS), at = evaluate(from), then = evaluate(to);
    const parts = at.map(() => []);
    for (const j of moving) {
      const first = from.slice(), last = to.slice();
      first[j] = to[j];
      last[j] = from[j];
      const ahead = evaluate(first), behind = evaluate(last);
      parts.forEach((own, v) => own.push(0.5 * (ahead[v] - at[v] + then[v] - behind[v])));
    }
    parts.forEach((own, v) => balanced(own, then[v] - at[v]).forEach((part, m) => { out[v][moving[m]] += part; }));
  }
  return out;
}

const LINK_SLOPES = {
  identity: () => 1, log: Math.exp, logit: (e) => LINKS.logit(e) * (1 - LINKS.logit(e)), inverse: (e) => -1 / (e * e),
};

// Parts (T, J) of the change of what expert k says.
function expertParts(model, k, start, end, before, after) {
  const { coef, kind, links } = model.experts, [, T, p] = coef.shape, slope = (t, j) => coef.values[(k * T + t) * p + j];
  if (kind === "softmax")
    return integrated((x) => {
      const proba = softmax(Array.from({ length: T }, (_, t) => dot(coef.values, (k * T + t) * p, x)));
      const mean = Array.from({ length: p - 1 }, (_, j) => proba.reduce((sum, g, t) => sum + g * slope(t, j), 0));
      return proba.map((g, t) => mean.map((m, j) => g * (slope(t, j) - m)));
    }, start, end, before, after);
  return before.map((_, t) => {
    const terms = Array.from({ length: p - 1 }, (_, j) => slope(t, j) * (end[j] - start[j]));
    const total = terms.reduce((a, b) => a + b, 0), size = terms.reduce((a, b) => a + Math.abs(b), 0);
    const middle = 0.5 * (dot(coef.values, (k * T + t) * p, start) + dot(coef.values, (k * T + t) * p, end));
    const factor = Math.abs(total) > 1e-9 * size ? (after[t] - before[t]) / total : LINK_SLOPES[links[k]](middle);
    return balanced(terms.map((v) => v * factor), after[t] - before[t]);
  });
}

// What each column adds to each mean, through the gate and within experts: { base, mean, gate, expert }, (J, T) each.
function contributions(model, row) {
  const parts = model.sizes.map((one) => contributionsOne(one, row)), share = model.sizes.map((one) => one.share);
  const summed = (values) => values[0].map((_, t) => values.reduce((sum, own, s) => sum + share[s] * own[t], 0));
  const rows = (name) => row.map((_, j) => summed(parts.map((part) => part[name][j])));
  return { base: summed(parts.map((p) => p.base)), mean: summed(parts.map((p) => p.mean)), gate: rows("gate"), expert: rows("expert") };
}
function contributionsOne(model, row) {
  const ends = [0, 1].map((side) => [model.start[side], design(model, side, row).held]);
  const g = ends[1].map((z) => priors(model, z).prior), mu = ends[0].map((x) => means(model, x)), T = mu[0][0].length;
  const empty = () => row.map(() => new Array(T).fill(0)), gate = empty(), expert = empty();
  if (model.gate.kind !== "constant") {
    const smooth = model.gate.kind === "tree";
    const parts = smooth
      ? integrated((z) => priorSlopes(model, z), ...ends[1], ...g)
      : stepped((z) => priors(model, z).prior, ...ends[1]);
    parts.forEach((own, k) => own.forEach((part, j) => {
      for (let t = 0; t < T; t++) gate[model.maps[1][j].column][t] += 0.5 * part * (mu[0][k][t] + mu[1][k][t]);
    }));
  }
  g[0].forEach((_, k) => {
    const parts = expertParts(model, k, ...ends[0], mu[0][k], mu[1][k]);
    parts.forEach((own, t) => own.forEach((part, j) => {
      expert[model.maps[0][j].column][t] += 0.5 * part * (g[0][k] + g[1][k]);
    }));
  });
  const whole = [0, 1].map((e) => mu[e][0].map((_, t) => g[e].reduce((sum, p, k) => sum + p * mu[e][k][t], 0)));
  return { base: whole[0], mean: whole[1], gate, expert };
}

// -- distributions -----------------------------------------------------------------------------------------------------

const LOG_SQRT_2PI = 0.91893853320467274178;

// log Gamma, by Lanczos' sum with reflection.
const LANCZOS = [
  0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
  12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
];
function logGamma(x) {
  if (x > 1e3) { // Stirling's series
    const i = 1 / (x * x);
    return (x - 0.5) * Math.log(x) - x + LOG_SQRT_2PI + (1 / 12 - i * (1 / 360 - i / 1260)) / x;
  }
  if (x < 0.5) return Math.log(Math.PI / Math.abs(Math.sin(Math.PI * x))) - logGamma(1 - x);
  let sum = LANCZOS[0];
  for (let i = 1; i < 9; i++) sum += LANCZOS[i] / (x + i - 1);
  const t = x + 6.5;
  return LOG_SQRT_2PI + (x - 0.5) * Math.log(t) - t + Math.log(sum);
}

// Complementary error function, by its series and its continued fraction.
function erfc(x) {
  if (x < 0) return 2 - erfc(-x);
  if (x < 2.5) {
    let term = x, sum = x;
    for (let n = 1; n < 200 && Math.abs(term) > 1e-18 * Math.abs(sum); n++) {
      term *= (-x * x) / n;
      sum += term / (2 * n + 1);
    }
    return 1 - (2 / Math.sqrt(Math.PI)) * sum;
  }
  let f = 0;
  for (let n = 120; n > 0; n--) f = n / 2 / (x + f);
  return Math.exp(-x * x) / (Math.sqrt(Math.PI) * (x + f));
}

// Regularised incomplete beta function, by its continued fraction.
function betaRatio(x, a, b) {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x));
  return x < (a + 1) / (a + b + 2) ? (front * betaFraction(x, a, b)) / a : 1 - (front * betaFraction(1 - x, b, a)) / b;
}
function betaFraction(x, a, b) {
  const tiny = 1e-300;
  let c = 1, d = 1 - ((a + b) * x) / (a + 1);
  d = 1 / (Math.abs(d) < tiny ? tiny : d);
  let h = d;
  for (let m = 1; m < 5000; m++) {
    for (const step of [
      (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m)),
      (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1)),
    ]) {
      d = 1 + step * d;
      c = 1 + step / c;
      d = 1 / (Math.abs(d) < tiny ? tiny : d);
      c = Math.abs(c) < tiny ? tiny : c;
      h *= d * c;
    }
    if (Math.abs(d * c - 1) < 1e-16) break;
  }
  return h;
}

// Regularised upper incomplete gamma function, by series or continued fraction.
function gammaAbove(a, x) {
  if (x <= 0) return 1;
  const front = Math.exp(a * Math.log(x) - x - logGamma(a));
  if (x < a + 1) {
    let term = 1 / a, sum = term;
    for (let n = 1; n < 100000 && term > 1e-18 * sum; n++) sum += term *= x / (a + n);
    return 1 - front * sum;
  }
  const tiny = 1e-300;
  let b = x + 1 - a, c = 1 / tiny, d = 1 / b, h = d;
  for (let n = 1; n < 100000; n++) {
    const step = -n * (n - a);
    b += 2;
    d = 1 / (step * d + b || tiny);
    c = b + step / c || tiny;
    h *= d * c;
    if (Math.abs(d * c - 1) < 1e-16) break;
  }
  return front * h;
}

const DISTRIBUTIONS = {
  Normal: {
    logDensity: (y, { center, scale }) => -0.5 * ((y - center) / scale) ** 2 - Math.log(scale) - LOG_SQRT_2PI,
    below: (y, { center, scale }) => 0.5 * erfc((center - y) / (scale * Math.SQRT2)),
    reach: ({ center, scale }) => [center - 12 * scale, center + 12 * scale],
  },
  Student: {
    logDensity: (y, { df, center, scale }) => {
      const z = (y - center) / scale, i = 1 / df;
      const constant =
        df > 100
          ? -LOG_SQRT_2PI - i * (1 / 4 - i * i * (1 / 24 - i * i * (1 / 20 - (i * i * 17) / 112)))
          : logGamma(0.5 * (df + 1)) - logGamma(0.5 * df) - 0.5 * Math.log(df * Math.PI);
      return constant - Math.log(scale) - 0.5 * (df + 1) * Math.log1p((z * z) / df);
    },
    below: (y, { df, center, scale }) => {
      const z = (y - center) / scale;
      if (df > 1e4) { // an expansion around the normal distribution: the fraction would lose digits
        const z2 = z * z, peak = Math.exp(-0.5 * z2 - LOG_SQRT_2PI);
        const first = (z * (z2 + 1)) / 4, second = (z * (z2 * (z2 * (3 * z2 - 7) - 5) - 3)) / 96;
        return 0.5 * erfc(-z / Math.SQRT2) - (peak * (first + second / df)) / df;
      }
      const tail = 0.5 * betaRatio(df / (df + z * z), 0.5 * df, 0.5);
      return z < 0 ? tail : 1 - tail;
    },
    reach: ({ df, center, scale }) => [center - 1e3 * scale * (1 + 30 / df), center + 1e3 * scale * (1 + 30 / df)],
  },
  Poisson: {
    discrete: true,
    logDensity: (y, { rate }) => (y < 0 ? -Infinity : y * Math.log(rate) - rate - logGamma(y + 1)),
    below: (y, { rate }) => (y < 0 ? 0 : gammaAbove(Math.floor(y) + 1, rate)),
    reach: ({ rate }) => [-1, rate + 40 * Math.sqrt(rate) + 60],
  },
  NegativeBinomial: {
    discrete: true,
    logDensity: (y, { rate, dispersion }) => {
      if (y < 0) return -Infinity;
      const r = 1 / dispersion, m = rate * dispersion;
      return logGamma(y + r) - logGamma(r) - logGamma(y + 1) - r * Math.log1p(m) + y * (Math.log(m) - Math.log1p(m));
    },
    below: (y, { rate, dispersion }) =>
      y < 0 ? 0 : betaRatio(1 / (1 + rate * dispersion), 1 / dispersion, Math.floor(y) + 1),
    reach: ({ rate, dispersion }) => [-1, rate + 60 * Math.sqrt(rate + dispersion * rate * rate) + 60],
  },
  Gamma: {
    logDensity: (y, { expected, dispersion }) => {
      const a = 1 / dispersion, scale = expected * dispersion;
      return y <= 0 ? -Infinity : (a - 1) * Math.log(y / scale) - y / scale - logGamma(a) - Math.log(scale);
    },
    below: (y, { expected, dispersion }) => 1 - gammaAbove(1 / dispersion, y / (expected * dispersion)),
    reach: ({ expected, dispersion }) => [0, expected * (1 + 60 * Math.sqrt(dispersion) + 60 * dispersion)],
  },
};

// Density of the mixture, of each expert times its prior, and the probability of y or less.
function density(said, y) {
  const parts = said.dist.map((one, k) => said.weights[k] * Math.exp(one.logDensity(y, one.parameters)));
  return { parts, whole: parts.reduce((a, b) => a + b, 0) };
}
function below_(said, y) {
  return said.dist.reduce((sum, one, k) => sum + (said.weights[k] > 0 ? said.weights[k] * one.below(y, one.parameters) : 0), 0);
}

// The quantile of the mixture: by bisection, of counts the least whose probability of it or less is q.
function quantile(said, q) {
  const used = said.dist.filter((one, k) => said.weights[k] > 0), ends = used.map((one) => one.reach(one.parameters));
  let low = Math.min(...ends.map((end) => end[0])), high = Math.max(...ends.map((end) => end[1]));
  if (used.every((one) => one.discrete)) {
    low = Math.floor(low);
    high = Math.ceil(high);
    while (high - low > 1) {
      const middle = Math.floor(0.5 * (low + high));
      if (below_(said, middle) >= q) high = middle;
      else low = middle;
    }
    return high;
  }
  for (let i = 0; i < 200 && high - low > 1e-15 * Math.max(Math.abs(low), Math.abs(high)); i++) {
    const middle = 0.5 * (low + high);
    if (below_(said, middle) >= q) high = middle;
    else low = middle;
  }
  return 0.5 * (low + high);
}

function interval(said, coverage) {
  return [quantile(said, 0.5 * (1 - coverage)), quantile(said, 0.5 * (1 + coverage))];
}

if (typeof module !== "undefined") {
  module.exports = { unpacked, prepared, predict, density, below_, quantile, interval, below, contributions, added };
}
