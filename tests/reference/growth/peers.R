# Rscript peers.R, in this folder, writes peers.json: fits of growth.csv by nlme, flexmix and lcmm.
# R 4.2, nlme, flexmix 2.3-18, lcmm 2.2.2.
library(nlme)
suppressMessages(library(flexmix))
library(lcmm)

data <- read.csv("growth.csv")

single <- lme(y ~ age, random = ~ 1 + age | id, data = data, method = "ML",
              control = lmeControl(opt = "optim", reltol = 1e-14, maxIter = 500, msMaxIter = 500))
covariance <- unclass(getVarCov(single))
effects <- ranef(single)

# From persons by their highest value after age 12, for steps of EM take long.
start <- ifelse(ave(data$y * (data$age > 12), data$id, FUN = max) > 10.3, 1, 2)
mixture <- flexmix(y ~ 1 | id, data = data, k = 2, cluster = start,
                   model = FLXMRlmm(y ~ age, random = ~ 1 + age, lm.fit = "lm.wfit"),
                   control = list(iter.max = 400, tolerance = 1e-8, minprior = 0))

one <- hlme(y ~ age, random = ~ 1 + age, subject = "id", ng = 1, data = data, verbose = FALSE)
set.seed(1)
two <- gridsearch(hlme(y ~ age, mixture = ~ age, random = ~ 1 + age, subject = "id", ng = 2,
                       data = data, verbose = FALSE, convB = 1e-8, convL = 1e-8, convG = 1e-8),
                  rep = 20, maxiter = 15, minit = one)

number <- function(x) paste0("[", paste(sprintf("%.12g", unlist(x)), collapse = ", "), "]")
lines <- c(
  sprintf('"nlme": {"llf": %.12g, "coef": %s, "sigma": %.12g, "random_cov": %s, "effects": %s}',
          as.numeric(logLik(single)), number(fixef(single)), single$sigma,
          number(covariance[c(1, 2, 4)]), number(t(effects[order(as.numeric(rownames(effects))), ]))),
  sprintf('"flexmix": {"llf": %.12g}', as.numeric(logLik(mixture))),
  sprintf('"lcmm": {"llf": %.12g, "converged": %s, "params": %s, "errors": %s, "posterior": %s}',
          two$loglik, tolower(two$conv == 1), number(two$best),
          number(sqrt(diag(VarCov(two)))), number(two$pprob$prob1)))
writeLines(c("{", paste(lines, collapse = ",\n"), "}"), "peers.json")
