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
import dev.smelt.merge.sparse.SceMerge;
import dev.smelt.merge.sparse.SparseMerge;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/** The methods there are. */
public final class MergeMethods {

  private MergeMethods() {}

  public static List<MethodDescription> all() {
    return Stream.of(
            List.of(
                FisherMerge.DESCRIPTION,
                RegMeanMerge.DESCRIPTION,
                LinearMerge.DESCRIPTION,
                SlerpMerge.DESCRIPTION,
                NuslerpMerge.DESCRIPTION,
                MultislerpMerge.DESCRIPTION,
                KarcherMerge.DESCRIPTION,
                TaskArithmeticMerge.DESCRIPTION),
            SparseMerge.descriptions(),
            List.of(
                SceMerge.DESCRIPTION,
                ModelStockMerge.DESCRIPTION,
                NearswapMerge.DESCRIPTION,
                ArceeFusionMerge.DESCRIPTION,
                PassthroughMerge.DESCRIPTION))
        .flatMap(List::stream)
        .toList();
  }

  /** The method of this name. */
  public static Optional<MethodDescription> named(String name) {
    return all().stream().filter(method -> method.name().equals(name)).findFirst();
  }
}
