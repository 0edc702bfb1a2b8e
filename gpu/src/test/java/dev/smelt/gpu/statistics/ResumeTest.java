package dev.smelt.gpu.statistics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.Progress;
import dev.smelt.formats.UsageException;
import dev.smelt.gpu.TestData;
import dev.smelt.gpu.TestDevice;
import dev.smelt.gpu.data.Example;
import dev.smelt.gpu.network.Network;
import dev.smelt.gpu.plain.TinyModel;
import dev.smelt.gpu.plain.TinyModels;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Runs that are killed and continued. */
class ResumeTest {

  private static final List<Example> WINDOWS = TestData.windows(5, 1, 7, 3, 6, 2, 4, 7, 3, 5, 6, 1);

  @TempDir private Path folder;

  private Network load(TinyModel model) {
    try (Checkpoint checkpoint = Checkpoint.open(model.write(folder.resolve("model")))) {
      return Network.load(checkpoint, TestDevice.get());
    }
  }

  private static FisherOptions options(int batch, Statistic... statistics) {
    return new FisherOptions(
        EnumSet.copyOf(Set.of(statistics)),
        Labels.EMPIRICAL,
        0,
        BatchSize.exactly(batch),
        OptionalDouble.empty());
  }

  private static double[] get(Map<String, double[]> arrays, String name) {
    assertThat(arrays).containsKey(name);
    return arrays.getOrDefault(name, new double[0]);
  }

  private static final class Killed extends RuntimeException {
    private static final long serialVersionUID = 1;
  }

  /** Ends the process, as it were, after so many examples. */
  private static Progress killedAfter(long examples) {
    return (what, total, unit) ->
        new Progress.Task() {
          private long done;

          @Override
          public void advance(long amount) {
            done += amount;
            if (done >= examples) {
              throw new Killed();
            }
          }

          @Override
          public void close() {}
        };
  }

  private Saving saving(boolean resume, String model) {
    return new Saving(
        folder.resolve("f.safetensors"), Duration.ZERO, resume, Map.of("model", model));
  }

  private static Estimate run(Network network, Saving saving, Progress progress) {
    return FisherEstimator.estimate(
        network, TestData.dataset(WINDOWS), options(2, Statistic.values()), saving, progress);
  }

  @Test
  void continuesAfterAKillWithTheSameNumbers() {
    try (Network network = load(TinyModels.gpt2())) {
      Map<String, double[]> whole;
      Precision precision;
      try (Estimate estimate = run(network, Saving.never(Estimates.TARGET), Progress.NONE)) {
        whole = Estimates.arrays(estimate);
        precision = estimate.precision();
      }
      assertThatThrownBy(() -> run(network, saving(false, "a"), killedAfter(6)))
          .isInstanceOf(Killed.class);
      assertThat(saving(false, "a").partial()).exists();
      assertThatThrownBy(() -> run(network, saving(false, "a"), Progress.NONE))
          .isInstanceOf(UsageException.class)
          .hasMessageContainingAll("f.partial.safetensors", "--resume", "--overwrite");
      assertThatThrownBy(() -> run(network, saving(true, "b"), Progress.NONE))
          .isInstanceOf(MismatchException.class)
          .hasMessageContainingAll("model b", "found a");
      try (Estimate estimate = run(network, saving(true, "a"), Progress.NONE)) {
        // Saved after 4 examples; the batch that was being reported is lost.
        assertThat(estimate.course().continuedAt()).isEqualTo(4);
        assertThat(estimate.course().examples()).isEqualTo(WINDOWS.size());
        assertThat(estimate.course().tokens())
            .isEqualTo(WINDOWS.stream().mapToInt(TestData::length).sum());
        assertThat(estimate.precision()).isEqualTo(precision);
        Map<String, double[]> continued = Estimates.arrays(estimate);
        assertThat(continued.keySet()).isEqualTo(whole.keySet());
        continued.forEach((name, values) -> assertThat(values).isEqualTo(get(whole, name)));
      }
      FisherEstimator.forget(saving(true, "a"));
      assertThat(Files.exists(saving(true, "a").partial())).isFalse();
    }
  }
}
