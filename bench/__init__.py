"""Side-by-side measurements. `./dev bench` prints ratios of one run; absolute figures belong to their machine."""
