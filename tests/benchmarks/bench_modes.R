# One flexmix fit from a random start for each line of standard input, a seed; arguments: path of
# the data, formula, k, concomitant formula or -, column of weights or -, file for the posteriors.
# Answers are lines: seconds of processor time, components left. Posteriors are columns of float64.
suppressPackageStartupMessages(library(flexmix))
arguments <- commandArgs(trailingOnly = TRUE)
data <- read.csv(arguments[1])
prior <- if (arguments[4] == "-") FLXPconstant() else FLXPmultinom(as.formula(arguments[4]))
frequency <- if (arguments[5] == "-") NULL else as.integer(data[[arguments[5]]])
input <- file("stdin", "r")
while (length(line <- readLines(input, 1)) > 0) {
  set.seed(as.integer(line))
  gc(FALSE)
  time <- system.time(
    fit <- try(flexmix(as.formula(arguments[2]),
      data = data, k = as.integer(arguments[3]), concomitant = prior, weights = frequency
    ), silent = TRUE),
    gcFirst = FALSE
  )
  left <- if (inherits(fit, "try-error")) 0L else fit@k
  if (left > 0) writeBin(as.vector(posterior(fit)), arguments[6])
  cat(time[["user.self"]] + time[["sys.self"]], left, "\n")
}
