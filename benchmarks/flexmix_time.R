# CPU seconds until flexmix reaches given maxima: Rscript flexmix_time.R TASKS RESULTS
# One random start after the other, with flexmix's own tolerance, until the log-likelihood is there.

suppressPackageStartupMessages(library(flexmix))
arguments <- commandArgs(TRUE)
tasks <- read.delim(arguments[1], quote = "", colClasses = "character", na.strings = character())
for (name in c("K", "target", "most", "longest")) tasks[[name]] <- as.numeric(tasks[[name]])
file <- file(arguments[2], "w")
cpu <- function() sum(proc.time()[c("user.self", "sys.self")])

fit_once <- function(task, table) {
  offset <- if (nzchar(task$offset)) with(table, eval(parse(text = task$offset))) else NULL
  fixed <- if (nzchar(task$fixed)) as.formula(task$fixed) else NULL
  model <- if (is.null(fixed)) FLXMRglm(family = task$family, offset = offset)
           else FLXMRglmfix(family = task$family, fixed = fixed, offset = offset)
  concomitant <- if (task$gate == "~1") FLXPconstant() else FLXPmultinom(as.formula(task$gate))
  control <- list(iter.max = 1000, minprior = 0)
  flexmix(as.formula(task$formula), data = table, k = task$K, model = model, concomitant = concomitant,
          control = control)
}

invisible(try(fit_once(tasks[1, ], read.csv(tasks$csv[1])), silent = TRUE))  # what is loaded once
for (i in seq_len(nrow(tasks))) {
  task <- tasks[i, ]
  table <- read.csv(task$csv)
  set.seed(i)
  begin <- cpu()
  starts <- 0
  failed <- 0
  best <- -Inf
  while (starts < task$most && best <= task$target && cpu() - begin < task$longest) {
    starts <- starts + 1
    found <- try(suppressWarnings(fit_once(task, table)), silent = TRUE)
    if (inherits(found, "try-error")) {
      failed <- failed + 1
      next
    }
    best <- max(best, as.numeric(logLik(found)), na.rm = TRUE)
  }
  cat(i, starts, failed, best, cpu() - begin, sep = "\t", file = file)
  cat("\n", file = file)
  flush(file)
}
close(file)
