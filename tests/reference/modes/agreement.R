# Data frames of R's packages with two numeric columns or more, one CSV each: agreement.R FOLDER
target <- commandArgs(TRUE)[1]
dir.create(target, showWarnings = FALSE)
for (package in c("datasets", "MASS", "nlme", "survival", "boot", "cluster", "lattice", "AER")) {
  names <- data(package = package)$results[, "Item"]
  for (name in sub(" .*", "", names)) {
    where <- new.env()
    suppressWarnings(try(data(list = name, package = package, envir = where), silent = TRUE))
    frame <- if (exists(name, where, inherits = FALSE)) where[[name]] else
      try(getExportedValue(package, name), silent = TRUE)
    if (!is.data.frame(frame)) next
    numeric <- vapply(frame, function(v) is.numeric(v) && is.null(dim(v)), TRUE)
    frame <- as.data.frame(frame)[, numeric, drop = FALSE]
    frame <- frame[complete.cases(frame), , drop = FALSE]
    if (ncol(frame) < 2 || nrow(frame) < 40 || nrow(frame) > 2000) next
    write.csv(frame, file.path(target, paste0(package, ".", name, ".csv")), row.names = FALSE)
  }
}
