# One default flexmix fit from one random start; arguments: path of the data, family, seed. Prints
# the seconds of processor time, the iterations, the components left and the log-likelihood.
suppressPackageStartupMessages(library(flexmix))
arguments <- commandArgs(trailingOnly = TRUE)
data <- read.csv(arguments[1])
family <- arguments[2]
formula <- if (family == "binomial") cbind(y, n - y) ~ x1 + x2 + x3 else y ~ x1 + x2 + x3
set.seed(as.integer(arguments[3]))
seconds <- system.time(
  fit <- flexmix(formula, data = data, k = 3, model = FLXMRglm(family = family))
)
cat(seconds[["user.self"]] + seconds[["sys.self"]], fit@iter, fit@k,
    format(as.numeric(logLik(fit)), digits = 15), "\n")
