package dev.smelt.cli;

import static dev.smelt.cli.Run.smelt;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.smelt.formats.Shape;
import dev.smelt.formats.testing.PickleAssembler;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.formats.testing.TestTensors;
import dev.smelt.formats.testing.TestTorch;
import dev.smelt.formats.testing.TestZip;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** Networks from TorchScript on the command line: y = W x, with W of the checkpoint. */
class ScriptJobTest {

  private static final String CODE =
      """
      class Net(Module):
        __parameters__ = ["weight", ]
        __buffers__ = []
        training : bool
        weight : Tensor
        def forward(self: __torch__.Net, x: Tensor) -> Tensor:
          return torch.linear(x, self.weight)
      """;

  @TempDir private Path folder = Path.of("");
  private Path module = Path.of("");
  private Path model = Path.of("");
  private Path data = Path.of("");

  @BeforeEach
  void makeModuleAndData() {
    List<TestTensor> own = List.of(weight(9, 9, 9, 9));
    TestTorch torch = TestTorch.of(own);
    PickleAssembler pickle = PickleAssembler.start();
    pickle.global("__torch__", "Net").ops(")").raw(0x81).ops("}(").text("training").bool(false);
    torch.putTensor(pickle.text("weight"), 0);
    TestZip zip = TestTorch.head(pickle.ops("ub").stop());
    zip.stored(TestTorch.FOLDER + "code/__torch__.py", CODE);
    zip.stored(TestTorch.FOLDER + "constants.pkl", PickleAssembler.start().ops(")").stop());
    module = TestCheckpoints.write(folder.resolve("net.pt"), torch.addStorages(zip).bytes());
    model = TestCheckpoints.file(folder.resolve("m.safetensors"), List.of(weight(1, 0, 0, 1)));
    data =
        TestCheckpoints.file(
            folder.resolve("data.safetensors"),
            List.of(
                TestTensors.f32("inputs", Shape.of(2, 2), 3, 0, 0, 1),
                TestTensors.i64("labels", Shape.of(2), 0, 0)));
  }

  private static TestTensor weight(float... values) {
    return TestTensors.f32("weight", Shape.of(2, 2), values);
  }

  /** Logits (3, 0) and (0, 1), both of class 0. */
  private static double loss() {
    return (Math.log1p(Math.exp(-3)) + Math.log1p(Math.exp(1))) / 2;
  }

  @Test
  void evaluatesAndComparesByTheTensorsOfTheCheckpoint() {
    JsonNode found = smelt("eval", model, "--script", module, "--data", data, "--json").json();
    assertThat(found.path("loss").doubleValue()).isCloseTo(loss(), within(1e-6));
    assertThat(found.path("accuracy").doubleValue()).isEqualTo(0.5);
    assertThat(found.has("tokens")).isFalse();
    JsonNode diff =
        smelt("diff", model, module, "--script", module, "--data", data, "--json").json();
    assertThat(diff.path("before").path("loss").doubleValue()).isCloseTo(loss(), within(1e-6));
    assertThat(diff.path("after").path("loss").doubleValue()).isCloseTo(Math.log(2), within(1e-6));
  }

  private Run statistics(Path file, String names) {
    return smelt("fisher", model, "--script", module, "--data", data, "-o", file, "--stats", names);
  }

  @Test
  void computesStatistics() {
    Path file = folder.resolve("f.safetensors");
    Run run = smelt("fisher", model, "--script", module, "--data", data, "-o", file).done();
    assertThat(run.out()).contains("2 examples").doesNotContain("tokens,");
    assertThat(file).exists();
    Path more = folder.resolve("more.safetensors");
    String inputs = "input-norms,contribution,entropy";
    statistics(more, inputs)
        .refused(ExitCode.USAGE, "this network has none of [input-norms, contribution, entropy]");
    assertThat(statistics(more, "diag," + inputs).done().out())
        .contains("no contribution of what is used whole", "left out: no entropy");
    smelt("fisher", model, "--script", module, "--data", data, "-o", data, "--overwrite")
        .refused(ExitCode.USAGE, "output would replace an input", "data.safetensors");
  }

  @Test
  void refusesWhatItCannotUse() {
    smelt("diff", model, module, "--script", module)
        .refused(ExitCode.USAGE, "--script has no effect without --data");
    smelt("eval", model, "--script", data, "--data", data)
        .refused(ExitCode.BAD_INPUT, "not a TorchScript file", "data.safetensors");
  }
}
