package dev.smelt.cli.report;

import dev.smelt.cli.report.DiffReport.Model;
import java.util.List;

/** The models that no other one beats: none is as small and better, or smaller and as good. */
final class ParetoFrontier {

  private ParetoFrontier() {}

  /** All {@code models} must have the measure. Models that are equal in both are all on it. */
  static List<Model> of(List<Model> models, Measure measure) {
    return models.stream()
        .filter(model -> models.stream().noneMatch(other -> dominates(other, model, measure)))
        .toList();
  }

  private static boolean dominates(Model a, Model b, Measure measure) {
    double goodA = goodness(a, measure);
    double goodB = goodness(b, measure);
    return a.fileBytes() <= b.fileBytes()
        && goodA >= goodB
        && (a.fileBytes() < b.fileBytes() || goodA > goodB);
  }

  private static double goodness(Model model, Measure measure) {
    Double value = measure.of(model);
    if (value == null) {
      throw new IllegalArgumentException(model.name() + " has no " + measure.label());
    }
    return measure.higherIsBetter() ? value : -value;
  }
}
