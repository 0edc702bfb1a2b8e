package dev.smelt.cli;

import static dev.smelt.cli.Run.TESTDATA;
import static dev.smelt.cli.Run.smelt;
import static org.assertj.core.api.Assertions.assertThat;

import dev.smelt.formats.DType;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensors;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What pruning refuses before it begins. */
class PruneRefusalTest {

  private static final Path MODEL = TESTDATA.resolve("gpt2-drama");

  @TempDir private static Path folder = Path.of("");

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "--sparsity 1 | --sparsity 1.0 is out of range",
        "--sparsity 0.5 --max-loss-increase 0.1 | one of --sparsity and --max-loss-increase",
        "--criterion magnitude | one of --sparsity and --max-loss-increase is needed",
        "--max-loss-increase 0.1 | needs data",
        "--sparsity 0.5 --criterion wanda | --criterion wanda needs statistics",
        "--sparsity 0.5 --criterion all | expected one of magnitude, fisher, wanda, contribution,",
        "--sparsity 0.5 --scope all | expected one of global, tensor, row but was",
        "--sparsity 0.5 --allocation loss --scope tensor | --allocation loss needs statistics",
        "--sparsity 0.5 --compensate | --compensate needs statistics",
        "--sparsity 0.5 --damping 0.1 | --damping has no effect without --compensate",
        "--sparsity 0.5 --pattern 2:4 | --sparsity has no effect with --pattern 2:4",
        "--pattern 4:2 | no pattern of 4 kept of 2",
        "--sparsity 0.5 --pattern rows | no such pattern 'rows'",
        "--sparsity 0.5 --multiple 8 | --multiple has no effect with --pattern unstructured",
        "--sparsity 0.5 --pattern heads --scope row | --scope row has no meaning",
        "--sparsity 0.5 --pattern blocks --scope global | --scope has no effect",
        "--sparsity 0.5 --criterion block-entropy | scores blocks",
        "--sparsity 0.5 --steps 3 | --steps has no effect without --schedule",
        "--sparsity 0.5 --schedule cubic | whose scores stay what they are",
        "--sparsity 0.5 --schedule cubic --criterion fisher | --schedule needs data",
        "--sparsity 0.5 --tune 5 | --tune needs data",
        "--sparsity 0.5 --lr 0.1 | --lr has no effect without --tune",
        "--sparsity 0.5 --train x.txt | --train has no effect without --tune or --schedule",
        "--sparsity 0.5 --samples 5 | --samples has no effect without --data",
        "--sparsity 0.5 --any-model | --any-model has no effect without --stats",
        "--sparsity 0.5 --include nothing | pattern 'nothing' matches no tensor"
      })
  void optionsThatDoNotGoTogetherAreRefused(String options, String message) {
    List<Object> words = new ArrayList<>(List.of("prune", MODEL, "-o", folder.resolve("refused")));
    words.addAll(List.of((Object[]) options.strip().split(" ")));
    smelt(words.toArray()).refused(ExitCode.USAGE, message.strip());
    assertThat(folder.resolve("refused")).doesNotExist();
  }

  @Test
  void groupsThatDoNotFillTheInputsAreRefused() {
    Path odd =
        TestCheckpoints.file(
            folder.resolve("odd.safetensors"),
            List.of(TestTensors.random("x.weight", DType.F32, 1, 4, 6)));
    smelt("prune", odd, "-o", folder.resolve("refused"), "--pattern", "2:4")
        .refused(ExitCode.USAGE, "6 inputs of x.weight", "--exclude x");
  }
}
