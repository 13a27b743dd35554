# Standard deviations of flexmix's parametric bootstrap of NPreg, k = 2, from the fit; run in
# tests/reference. The numbers stand in ../../resampling/test_bootstrap.py (flexmix 2.3-18).
suppressPackageStartupMessages(library(flexmix))
data <- read.csv("data/NPreg.csv")
set.seed(1)
fit <- stepFlexmix(yn ~ x + I(x^2), data = data, k = 2, nrep = 5, verbose = FALSE)
replicates <- boot(fit, R = 199, sim = "parametric", initialize_solution = TRUE)
print(apply(sapply(replicates@parameters, unlist), 1, sd))
