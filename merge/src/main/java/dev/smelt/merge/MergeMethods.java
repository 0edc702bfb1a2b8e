package dev.smelt.merge;

import dev.smelt.merge.arc.KarcherMerge;
import dev.smelt.merge.arc.ModelStockMerge;
import dev.smelt.merge.arc.MultislerpMerge;
import dev.smelt.merge.arc.NuslerpMerge;
import dev.smelt.merge.arc.SlerpMerge;
import dev.smelt.merge.fusion.ArceeFusionMerge;
import dev.smelt.merge.mean.FisherMerge;
import dev.smelt.merge.mean.LinearMerge;
import dev.smelt.merge.mean.NearswapMerge;
import dev.smelt.merge.mean.PassthroughMerge;
import dev.smelt.merge.mean.RegMeanMerge;
import dev.smelt.merge.mean.TaskArithmeticMerge;
import dev.smelt.merge.method.MethodDescription;
import java.util.List;
import java.util.Optional;

/** The methods there are. */
public final class MergeMethods {

  private MergeMethods() {}

  public static List<MethodDescription> all() {
    return List.of(
        FisherMerge.DESCRIPTION,
        RegMeanMerge.DESCRIPTION,
        LinearMerge.DESCRIPTION,
        SlerpMerge.DESCRIPTION,
        NuslerpMerge.DESCRIPTION,
        MultislerpMerge.DESCRIPTION,
        KarcherMerge.DESCRIPTION,
        ModelStockMerge.DESCRIPTION,
        TaskArithmeticMerge.DESCRIPTION,
        NearswapMerge.DESCRIPTION,
        ArceeFusionMerge.DESCRIPTION,
        PassthroughMerge.DESCRIPTION);
  }

  /** The method of this name. */
  public static Optional<MethodDescription> named(String name) {
    return all().stream().filter(method -> method.name().equals(name)).findFirst();
  }
}
