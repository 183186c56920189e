"""Never silence: providers of one stage in order, each taking over where the one before fails."""
