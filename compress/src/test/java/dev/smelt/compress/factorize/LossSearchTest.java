package dev.smelt.compress.factorize;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.smelt.compress.search.ShareSearch;
import dev.smelt.compress.testing.Factorization;
import dev.smelt.compress.testing.Plain;
import dev.smelt.compress.testing.TestDevice;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.OutputOptions;
import dev.smelt.formats.Progress;
import dev.smelt.formats.testing.TestCheckpoints;
import java.nio.file.Path;
import java.util.List;
import java.util.function.DoubleUnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** With losses that are known functions of the size. */
class LossSearchTest {

  @TempDir private Path folder;

  private LossSearch.Found search(DoubleUnaryOperator lossOfShare, double limit) {
    Path in =
        TestCheckpoints.file(
            folder.resolve("in.safetensors"),
            List.of(
                Plain.tensor("a.weight", Plain.decaying(60, 60, 0.9, 1)),
                Plain.tensor("b.weight", Plain.decaying(60, 60, 0.9, 2))));
    RankPolicy all = new TotalKeep(1);
    try (Checkpoint checkpoint = Checkpoint.open(in);
        Factorizer factorizer =
            Factorizer.open(
                checkpoint,
                Factorization.plain(all).options(),
                TestDevice.get(),
                OutputOptions.to(folder.resolve("out.safetensors")))) {
      factorizer.decompose(all, SpectraFile.Contents.none(), Progress.NONE);
      double dense = checkpoint.bytes();
      return new LossSearch(factorizer, model -> lossOfShare.applyAsDouble(model.bytes() / dense))
          .smallestWithin(limit);
    }
  }

  @ParameterizedTest
  @ValueSource(doubles = {0.1, 0.37, 0.5, 0.82})
  void theSmallestShareWithinTheLimitIsFound(double share) {
    LossSearch.Found found = search(size -> 2 - size, 2 - share);
    // A rank of one of the layers is 1/60 of it all; the search stops at steps of 0.004.
    assertThat(found.policy().ratio()).isCloseTo(share, within(0.004 + 1 / 60.0));
    assertThat(found.tries()).hasSizeLessThanOrEqualTo(10);
    assertThat(found.tries())
        .allSatisfy(one -> assertThat(one.within()).isEqualTo(one.loss() <= 2 - share));
    assertThat(found.tries())
        .anySatisfy(
            one -> {
              assertThat(one.share()).isEqualTo(found.policy().ratio());
              assertThat(one.within()).isTrue();
            });
  }

  @Test
  void whereNothingSmallerIsGoodEnoughItStaysWhole() {
    LossSearch.Found found = search(size -> size < 1 ? 2 : 1, 1);
    assertThat(found.policy()).isEqualTo(new TotalKeep(1));
    assertThat(found.tries()).noneMatch(ShareSearch.Try::within);
  }

  @Test
  void belowTheSmallestFactorsNothingIsMeasured() {
    LossSearch.Found found = search(size -> 1, 1);
    assertThat(found.policy().ratio()).isCloseTo(2 / 60.0, within(0.008));
    assertThat(found.tries()).allMatch(ShareSearch.Try::within);
  }
}
