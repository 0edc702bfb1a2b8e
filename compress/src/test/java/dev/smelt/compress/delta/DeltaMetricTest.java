package dev.smelt.compress.delta;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.smelt.compress.metric.FisherMetric;
import dev.smelt.compress.metric.Side;
import dev.smelt.compress.testing.Plain;
import dev.smelt.formats.manifest.TensorRecord;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.gpu.statistics.Statistics;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DeltaMetricTest {

  private static final int RANK = 2;

  @TempDir private Path folder;

  /** The error in the metric is that of the best approximation of Δ·diag(√d), d by hand. */
  @Test
  void factorsAreTheBestInTheMetric() {
    // Stored [in, out] like the Conv1D it weighs: every row an input.
    double[][] fisher = new double[8][24];
    double[] d = new double[8];
    for (int i = 0; i < 8; i++) {
      Arrays.fill(fisher[i], 1 + 3 * i);
      d[i] = Math.sqrt(1 + 3 * i);
    }
    double[][] table = new double[30][8];
    for (double[] row : table) {
      Arrays.fill(row, 1);
    }
    Path file =
        TestCheckpoints.file(
            folder.resolve("f.safetensors"),
            List.of(
                Plain.tensor("diag/" + TunedModel.ATTENTION, fisher),
                Plain.tensor("diag/" + TunedModel.TABLE, table)));
    Path base = TunedModel.write(folder.resolve("base"), TunedModel.base());
    Path tuned = TunedModel.write(folder.resolve("tuned"), TunedModel.tuned());
    try (Statistics statistics = Statistics.open(file)) {
      TensorRecord record =
          Extraction.run(
                  tuned,
                  base,
                  folder.resolve("out"),
                  Extraction.in(
                      new FisherMetric(statistics, Side.INPUT), new DeltaRank.Fixed(RANK)))
              .record(TunedModel.ATTENTION);
      double[] weighted =
          Plain.singularValues(Plain.scaleColumns(Plain.transpose(TunedModel.ATTENTION_CHANGE), d));
      double[] plain = Plain.singularValues(TunedModel.ATTENTION_CHANGE);
      assertThat(record.weightedRelativeError())
          .isCloseTo(Plain.tail(weighted, RANK) / Plain.tail(weighted, 0), within(1e-5));
      assertThat(record.deltaError())
          .as("no better than the plain optimum")
          .isGreaterThan(Plain.tail(plain, RANK) / Plain.tail(plain, 0));
    }
  }
}
