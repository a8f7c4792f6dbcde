// The evaluator's thread with a defect: it computes without an end while it loads.
for (;;);
