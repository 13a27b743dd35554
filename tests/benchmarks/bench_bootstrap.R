# flexmix's parametric bootstrap of NPreg, k = 2; arguments: path of the data, replicates, and
# whether the replicates start from the fit (TRUE) or from random posteriors (FALSE, flexmix's
# default, many times slower). Prints the seconds.
suppressPackageStartupMessages(library(flexmix))
arguments <- commandArgs(trailingOnly = TRUE)
data <- read.csv(arguments[1])
set.seed(1)
fit <- stepFlexmix(yn ~ x + I(x^2), data = data, k = 2, nrep = 5, verbose = FALSE)
seconds <- system.time(
  boot(fit, R = as.integer(arguments[2]), sim = "parametric",
       initialize_solution = as.logical(arguments[3]))
)[["elapsed"]]
cat(seconds, "\n")
