# CPU seconds and the best log-likelihood of mixtools: Rscript mixtools_time.R POINTS EXPERTS STARTS
# Random starts of a normal mixture, with its own tolerance.

suppressMessages(suppressPackageStartupMessages(library(mixtools)))
arguments <- commandArgs(TRUE)
y <- scan(arguments[1], quiet = TRUE)
cpu <- function() sum(proc.time()[c("user.self", "sys.self")])
fit_once <- function() try(suppressMessages(normalmixEM(y, k = as.integer(arguments[2]), maxit = 1000)), silent = TRUE)

invisible(capture.output(fit_once()))  # what is loaded once
set.seed(1)
begin <- cpu()
best <- -Inf
invisible(capture.output(for (i in seq_len(as.integer(arguments[3]))) {
  found <- fit_once()
  if (!inherits(found, "try-error")) best <- max(best, found$loglik)
}))
cat(cpu() - begin, best, "\n")
