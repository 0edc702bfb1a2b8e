package dev.smelt.merge;

import java.util.List;

/** The methods there are, for help texts and documentation. */
public final class MergeMethods {

  private MergeMethods() {}

  public static List<MethodDescription> all() {
    return List.of(
        FisherMerge.DESCRIPTION,
        LinearMerge.DESCRIPTION,
        SlerpMerge.DESCRIPTION,
        TaskArithmeticMerge.DESCRIPTION);
  }
}
