package dev.smelt.gpu.network;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CorruptException;
import dev.smelt.formats.DType;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.formats.testing.TestTensors;
import dev.smelt.gpu.TestDevice;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Factors, parts, bases and changes are multiplied out for a module that knows none. */
class ScriptFactorsTest {

  private static final String COMPRESSED =
      """
      {"conv": {"rank": 1},
       "fc": {"parts": [{"name": "a", "rows": [0, 1, 2, 2], "rank": 1},
                        {"name": "b", "rows": [1, 1, 1, 1]}]}}
      """;

  @TempDir Path temp;

  private Network load(Path path) {
    Path module = TinyScript.write(temp.resolve("net.pt"), ScriptRuns.OWN);
    try (Checkpoint checkpoint = Checkpoint.open(path)) {
      return Network.script(checkpoint, module, TestDevice.get());
    }
  }

  /** conv.weight as a convolution to one channel and a point, fc.weight in two parts. */
  private static List<TestTensor> compressed() {
    List<TestTensor> tensors = new ArrayList<>();
    for (TestTensor tensor : ScriptRuns.GIVEN) {
      switch (tensor.name()) {
        case "conv.weight" -> {
          tensors.add(TestTensors.f32("conv.ALinear.weight", Shape.of(2, 1, 1, 1), 0.5f, -2));
          tensors.add(
              TestTensors.f32(
                  "conv.BLinear.weight", Shape.of(1, 1, 3, 3), 1, 2, 3, 4, 5, 6, 7, 8, 9));
        }
        case "conv.bias" -> tensors.add(tensor.renamed("conv.ALinear.bias"));
        case "fc.weight" -> {
          tensors.add(TestTensors.f32("fc.a.ALinear.weight", Shape.of(2, 1), 0.25f, -0.5f));
          tensors.add(
              TestTensors.f32("fc.a.BLinear.weight", Shape.of(1, 8), 1, -1, 2, -2, 3, -3, 4, -4));
          tensors.add(
              TestTensors.f32(
                  "fc.b.weight", Shape.of(1, 8), .1f, .2f, .3f, .4f, .5f, .6f, .7f, .8f));
        }
        default -> tensors.add(tensor);
      }
    }
    return tensors;
  }

  @Test
  void factorsAndPartsAreMultipliedOut() {
    assertMultipliedOut(compressed(), COMPRESSED, 0);
  }

  @Test
  void basesAreMultipliedOut() {
    List<TestTensor> tensors = new ArrayList<>(compressed());
    tensors.replaceAll(
        tensor ->
            tensor.name().equals("conv.ALinear.weight") ? tensor.renamed("smelt.basis.2") : tensor);
    String entry = "{\"rank\": 1, \"A\": \"smelt.basis.2\"}";
    assertMultipliedOut(tensors, COMPRESSED.replace("{\"rank\": 1},", entry + ","), 0);
  }

  @Test
  void changesAreAddedToWhatTheyChange() {
    List<TestTensor> tensors = new ArrayList<>(compressed());
    tensors.replaceAll(
        tensor -> tensor.name().equals("conv.ALinear.bias") ? tensor.renamed("conv.bias") : tensor);
    float[] base = new float[18];
    Arrays.fill(base, 3);
    tensors.add(TestTensors.f32("conv.weight", Shape.of(2, 1, 3, 3), base));
    String entry = "{\"rank\": 1, \"delta\": true}";
    assertMultipliedOut(tensors, COMPRESSED.replace("{\"rank\": 1},", entry + ","), 3);
  }

  /** The kernels' factors as integers with scales of their outputs. */
  @Test
  void integersAreMultipliedByTheirScales() {
    List<TestTensor> tensors = new ArrayList<>(compressed());
    tensors.replaceAll(
        tensor ->
            switch (tensor.name()) {
              case "conv.ALinear.weight" -> i8(tensor, 4, -2);
              case "conv.BLinear.weight" -> i8(tensor, 2, 4, 6, 8, 10, 12, 14, 16, 18);
              default -> tensor;
            });
    tensors.add(TestTensors.f32("conv.ALinear.weight_scale", Shape.of(2, 1), 0.125f, 1));
    tensors.add(TestTensors.f32("conv.BLinear.weight_scale", Shape.of(1, 1), 0.5f));
    assertMultipliedOut(tensors, COMPRESSED, 0);
  }

  private static TestTensor i8(TestTensor like, int... values) {
    byte[] bytes = new byte[values.length];
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] = (byte) values[i];
    }
    return new TestTensor(like.name(), DType.I8, like.shape(), bytes);
  }

  /**
   * @param base what every element of the kernels' product is added to
   */
  private void assertMultipliedOut(List<TestTensor> tensors, String list, double base) {
    Map<String, double[]> weights = TinyScript.values(ScriptRuns.GIVEN);
    double[] conv = new double[18];
    for (int i = 0; i < 9; i++) {
      conv[i] = base + 0.5 * (i + 1);
      conv[9 + i] = base - 2.0 * (i + 1);
    }
    weights.put("conv.weight", conv);
    double[] b = {1, -1, 2, -2, 3, -3, 4, -4};
    double[] fc = new double[24];
    for (int j = 0; j < 8; j++) {
      fc[j] = 0.25 * b[j];
      fc[8 + j] = (float) ((j + 1) / 10.0);
      fc[16 + j] = -0.5 * b[j];
    }
    weights.put("fc.weight", fc);
    byte[] file = TestCheckpoints.safetensors(tensors, Map.of("low_rank_modules", list.strip()));
    Path path = TestCheckpoints.write(temp.resolve("small.safetensors"), file);
    try (Network network = load(path)) {
      ScriptRuns.assertLogits(network, ScriptRuns.examples(3), weights);
      assertThat(network.unusedTensors()).isEmpty();
      assertThat(network.notes())
          .singleElement()
          .asString()
          .contains("2 tensors are products", "conv.weight");
      assertThat(network.parameters().stream().map(TensorInfo::name))
          .contains("conv.weight", "conv.bias", "fc.weight");
    }
  }

  @Test
  void factorsThatDoNotFitTheModuleAreNamed() {
    String list = COMPRESSED.strip().replace("[1, 1, 1, 1]", "[1, 1, 2, 2]");
    List<TestTensor> wide = new ArrayList<>(compressed());
    wide.replaceAll(
        tensor ->
            tensor.name().equals("fc.b.weight")
                ? TestTensors.random("fc.b.weight", DType.F32, 3, 2, 8)
                : tensor);
    byte[] file = TestCheckpoints.safetensors(wide, Map.of("low_rank_modules", list));
    Path path = TestCheckpoints.write(temp.resolve("wide.safetensors"), file);
    assertThatThrownBy(() -> load(path).close())
        .isExactlyInstanceOf(MismatchException.class)
        .hasMessageContainingAll("fc.weight", "[4,8]", "[3,8]");
    List<TestTensor> twice = new ArrayList<>(compressed());
    twice.add(TestTensors.random("fc.weight", DType.F32, 3, 3, 8));
    byte[] both =
        TestCheckpoints.safetensors(twice, Map.of("low_rank_modules", COMPRESSED.strip()));
    Path other = TestCheckpoints.write(temp.resolve("twice.safetensors"), both);
    assertThatThrownBy(() -> load(other).close())
        .isExactlyInstanceOf(CorruptException.class)
        .hasMessageContaining("fc.weight");
  }
}
