package dev.smelt.cli.command;

import dev.smelt.compress.cluster.ClusterOptions;
import dev.smelt.compress.cluster.ClusterOptions.Algorithm;
import dev.smelt.compress.cluster.ClusterOptions.Order;
import dev.smelt.formats.UsageException;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Options that say how clusters are found, and within which error. */
final class ClusterOptionsMixin {

  @Option(
      names = "--max-error",
      paramLabel = "E",
      required = true,
      description =
          "Allow every cluster the relative error E, √(Σ‖W−AB‖²/Σ‖W‖²), in the metric and as"
              + " written; in [0, 1). With --base it is that of the changes.")
  private double maxError;

  @Option(
      names = "--per-block",
      description = "Promise the error to every matrix, and let every matrix count alike.")
  private boolean perBlock;

  @Option(
      names = "--algorithm",
      paramLabel = "max-norm|residual|incremental|exact",
      description =
          "How clusters are found: greedily by one of three bounds, or by exact spectra of unions,"
              + " merged in pairs (exact).")
  private Algorithm algorithm = Algorithm.EXACT;

  @Option(
      names = "--rank",
      paramLabel = "R",
      description = "The largest rank of a basis; needed by all algorithms but exact (any).")
  private @Nullable Integer rank;

  @Option(
      names = "--order",
      paramLabel = "norm|residual",
      description =
          "In which order matrices are offered to a cluster: rising norm, or rising share outside"
              + " of the first ones (norm).")
  private @Nullable Order order;

  @Option(
      names = "--patience",
      paramLabel = "N",
      description = "Stop after N clusters in a row that nothing joined (10).")
  private @Nullable Integer patience;

  @Option(
      names = "--oversampling",
      paramLabel = "P",
      description = "Of incremental: directions kept beside those of the rank (8).")
  private @Nullable Integer oversampling;

  /**
   * @throws UsageException when options do not go together or are out of range
   */
  ClusterOptions get() {
    boolean exact = algorithm == Algorithm.EXACT;
    if (!exact && rank == null) {
      throw new UsageException("--algorithm " + algorithm + " needs a rank", "give --rank");
    }
    Useless.refuse("--order", exact && order != null, "with --algorithm exact");
    Useless.refuse("--patience", exact && patience != null, "with --algorithm exact");
    Useless.refuse(
        "--oversampling",
        algorithm != Algorithm.INCREMENTAL && oversampling != null,
        "without --algorithm incremental");
    return new ClusterOptions(
        algorithm,
        rank == null ? Integer.MAX_VALUE : rank,
        maxError,
        order == null ? Order.NORM : order,
        patience == null ? ClusterOptions.PATIENCE : patience,
        oversampling == null ? ClusterOptions.OVERSAMPLING : oversampling,
        perBlock);
  }

  /** For the manifest: as they took effect. */
  void describe(Map<String, Object> parameters) {
    ClusterOptions what = get();
    parameters.put("algorithm", what.algorithm().toString());
    parameters.put("maxError", what.maxError());
    parameters.put("perBlock", what.perBlock());
    if (rank != null) {
      parameters.put("rank", rank);
    }
    if (what.algorithm() != Algorithm.EXACT) {
      parameters.put("order", what.order().toString());
      parameters.put("patience", what.patience());
    }
    if (what.algorithm() == Algorithm.INCREMENTAL) {
      parameters.put("oversampling", what.oversampling());
    }
  }
}
