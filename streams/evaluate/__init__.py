"""The comparison of systems on a data folder: protocol, figures, report."""
