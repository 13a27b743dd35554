# stepFlexmix(k = 1:5, nrep = 10); arguments: path of the data, formula. Prints the seconds of
# processor time, then the log-likelihood for each k.
suppressPackageStartupMessages(library(flexmix))
arguments <- commandArgs(trailingOnly = TRUE)
data <- read.csv(arguments[1])
set.seed(1)
seconds <- system.time(
  found <- stepFlexmix(as.formula(arguments[2]), data = data, k = 1:5, nrep = 10, verbose = FALSE)
)
cat(seconds[["user.self"]] + seconds[["sys.self"]], seconds[["elapsed"]], "\n")
for (model in found@models) cat(model@k, model@k0, format(logLik(model), digits = 15), "\n")
