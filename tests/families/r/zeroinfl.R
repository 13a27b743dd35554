# The numbers of zeroinfl.json: zero-inflated Poisson regressions of R package pscl.
# Rscript zeroinfl.R ../../reference/families/data/bioChemists.csv > zeroinfl.json
suppressMessages(library(pscl))
data <- read.csv(commandArgs(TRUE)[1])
fit <- zeroinfl(art ~ fem + ment | kid5 + mar, data = data,
                control = zeroinfl.control(reltol = 1e-15, ndeps = rep(1e-5, 6)))
put <- function(values) paste(sprintf('"%s": %.12g', names(values), values), collapse = ", ")
cat(sprintf('{"packages": "R %s, pscl %s", "llf": %.12g, "params": {%s}, "bse": {%s}}\n',
            getRversion(), packageVersion("pscl"), as.numeric(logLik(fit)), put(coef(fit)),
            put(sqrt(diag(vcov(fit))))))
