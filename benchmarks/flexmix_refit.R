# Mixtures of flexmix's own documentation, with the standard errors of its refit(): Rscript flexmix_refit.R FOLDER
#
# Each example is written to FOLDER as NAME.csv (the rows, with the design columns of experts ("x."), of coefficients that
# all experts share ("f.") and of the gate ("g.")), and NAME.refit.csv (names, estimates and standard errors of refit() as
# it comes, and of the same with a tighter optimum and smaller steps of its numeric Hessian).

folder <- commandArgs(trailingOnly = TRUE)[1]
suppressPackageStartupMessages(library(flexmix))

columns <- function(formula, data, prefix) {
  matrix <- model.matrix(formula, data)
  matrix <- matrix[, colnames(matrix) != "(Intercept)", drop = FALSE]
  colnames(matrix) <- paste0(prefix, colnames(matrix), recycle0 = TRUE)
  as.data.frame(matrix, optional = TRUE)
}

write_table <- function(table, file) {
  numeric <- vapply(table, is.numeric, TRUE)
  table[numeric] <- lapply(table[numeric], function(column) sprintf("%.17g", column))
  write.csv(table, file.path(folder, file), row.names = FALSE)
}

example <- function(name, data, response, k, expert = ~1, family = "gaussian", fixed = NULL, gate = NULL,
                    trials = NULL, offset = NULL, seed = 1802) {
  set.seed(seed)
  y <- data[[response]]
  left <- if (is.null(trials)) response else sprintf("cbind(%s, %s - %s)", response, trials, response)
  model <- if (is.null(fixed)) {
    FLXMRglm(family = family, offset = offset)
  } else {
    FLXMRglmfix(family = family, fixed = fixed)
  }
  concomitant <- if (is.null(gate)) FLXPconstant() else FLXPmultinom(gate)
  formula <- as.formula(paste(left, "~", as.character(expert)[2]))
  fit <- stepFlexmix(formula, data = data, k = k, model = model, concomitant = concomitant, nrep = 5,
                     control = list(minprior = 0, iter.max = 5000), verbose = FALSE)
  plain <- refit(fit, method = "optim")
  steps <- rep(1e-5, length(plain@coef))
  tight <- refit(fit, method = "optim", optim_control = list(reltol = 1e-15, maxit = 5000, ndeps = steps))
  write_table(data.frame(name = names(plain@coef),
                         estimate = plain@coef, se = sqrt(diag(plain@vcov)),
                         tight_estimate = tight@coef, tight_se = sqrt(diag(tight@vcov))),
              paste0(name, ".refit.csv"))
  table <- data.frame(y = y)
  if (!is.null(trials)) table$trials <- data[[trials]]
  if (!is.null(offset)) table$offset <- offset
  posterior <- as.data.frame(posterior(fit))
  names(posterior) <- paste0("p.", seq_len(k))
  table <- cbind(table, columns(expert, data, "x."), posterior)
  if (!is.null(fixed)) table <- cbind(table, columns(fixed, data, "f."))
  if (!is.null(gate)) table <- cbind(table, columns(gate, data, "g."))
  write_table(table, paste0(name, ".csv"))
  cat(sprintf("%s: flexmix %s, log-likelihood %.6f\n", name, as.character(packageVersion("flexmix")), logLik(fit)))
}

data(NPreg)
example("npreg gaussian", NPreg, "yn", 2, ~ x + I(x^2))
example("npreg poisson", NPreg, "yp", 2, ~x, "poisson")
NPreg$yb <- as.numeric(as.character(NPreg$yb))
example("npreg gaussian, gate ~ yb", NPreg, "yn", 2, ~ x + I(x^2), gate = ~yb)
data(NregFix)
example("nregfix gaussian, gate ~ w", NregFix, "y", 3, ~ x2 + x1, gate = ~w)
data(patent)
example("patent poisson, gate ~ RDS", patent, "Patents", 3, ~lgRD, "poisson", gate = ~RDS)
data(seizure)
example("seizure poisson, offset", seizure, "Seizures", 2, ~ Treatment * log(Day / 27), "poisson",
        offset = log(seizure$Hours))
data(bioChemists)
example("biochemists poisson", bioChemists, "art", 2, ~ fem + mar + kid5 + phd + ment, "poisson")
example("biochemists poisson, shared, gate ~ fem", bioChemists, "art", 2, ~1, "poisson",
        fixed = ~ kid5 + mar + ment, gate = ~fem)
data(tribolium)
example("tribolium binomial, shared, gate", tribolium, "Remaining", 2, ~1, "binomial",
        fixed = ~ I(Species == "Confusum"), gate = ~ I(Replicate == 3), trials = "Total")
