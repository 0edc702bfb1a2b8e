package dev.smelt.merge;

import static dev.smelt.formats.testing.TestTensors.f32;
import static dev.smelt.formats.testing.TestTensors.random;
import static org.assertj.core.api.Assertions.assertThat;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.DType;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.merge.arc.SlerpMerge;
import dev.smelt.merge.mean.FisherMerge;
import dev.smelt.merge.mean.LinearMerge;
import dev.smelt.merge.method.MergeMethod;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** What must hold bit for bit whatever the values are. */
class MergeIdentityTest {

  private static final List<List<Double>> WEIGHTS =
      List.of(
          List.of(),
          List.of(0.6, 0.4),
          List.of(1.0, 0.0),
          List.of(0.0, 1.0),
          List.of(Math.PI, Math.E),
          List.of(1e-300, 1e300));

  /** Awkward values beside random ones: signed zeros, subnormals, the ends of the range. */
  private static final double[] EDGES = {
    0.0, -0.0, Double.MIN_VALUE, -Double.MIN_VALUE, Double.MAX_VALUE, -Double.MAX_VALUE, 1.0 / 3
  };

  @TempDir private Path folder;

  private static Stream<MergeMethod> methods() {
    return Stream.concat(Stream.of(0.0, 0.3, 0.5, 1.0).map(SlerpMerge::new), methodsWithWeights());
  }

  private static Stream<MergeMethod> methodsWithWeights() {
    return WEIGHTS.stream()
        .flatMap(
            weights ->
                Stream.of(
                    new LinearMerge(weights),
                    new FisherMerge(weights, true, 1e-6, false),
                    new FisherMerge(weights, false, 0, true)));
  }

  private static Stream<Arguments> methodsAndTypes() {
    return methods()
        .flatMap(
            method ->
                Stream.of(DType.values())
                    .filter(DType::isFloat)
                    .map(dtype -> Arguments.of(method, dtype)));
  }

  @ParameterizedTest
  @MethodSource("methodsAndTypes")
  void aModelMergedWithItselfIsThatModel(MergeMethod method, DType dtype) {
    TestTensor all = everyValue(dtype);
    assertIdentity(method, all);
  }

  private void assertIdentity(MergeMethod method, TestTensor tensor) {
    TestTensor one = fisher(tensor, 0.1f);
    TestTensor other = fisher(tensor, 1e-9f);
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(tensor).fisher(one).model(tensor).fisher(other);
      assertThat(bytes(scenario.run(method))).isEqualTo(tensor.bytes());
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2"})
  void allWeightOnOneModelGivesThatModel(DType dtype) {
    TestTensor a = random("w", dtype, 1, 400);
    TestTensor b = random("w", dtype, 2, 400);
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(a).fisher(fisher(a, 0.3f)).model(b).fisher(fisher(b, 0.7f));
      for (boolean fisher : new boolean[] {true, false}) {
        assertThat(bytes(scenario.run(method(fisher, 1.0, 0.0)))).isEqualTo(a.bytes());
        assertThat(bytes(scenario.run(method(fisher, 0.0, 5.0)))).isEqualTo(b.bytes());
      }
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"F32", "F16", "BF16", "F8_E4M3", "F8_E5M2"})
  void theOrderOfModelsDoesNotMatter(DType dtype) {
    TestTensor a = random("w", dtype, 3, 1000);
    TestTensor b = random("w", dtype, 4, 1000);
    for (boolean fisher : new boolean[] {true, false}) {
      assertThat(merged(a, b, method(fisher, 0.6, 0.4)))
          .isEqualTo(merged(b, a, method(fisher, 0.4, 0.6)));
    }
  }

  @Test
  void inTheWideTypeTheOrderChangesTheLastBitsOnly() {
    TestTensor[] models = new TestTensor[3];
    for (int i = 0; i < models.length; i++) {
      models[i] = random("w", DType.F64, 5 + i, 1000);
    }
    double[] forward = new double[1000];
    double[] backward = new double[1000];
    try (Scenario scenario = new Scenario(folder)) {
      for (int i = 0; i < 3; i++) {
        scenario.model(models[i]);
      }
      scenario.run(method(false, 1, 2, 4)).tensor("w").read(0, 1000, forward);
    }
    try (Scenario scenario = new Scenario(folder)) {
      for (int i = 2; i >= 0; i--) {
        scenario.model(models[i]);
      }
      scenario.run(method(false, 4, 2, 1)).tensor("w").read(0, 1000, backward);
    }
    assertThat(forward).usingComparatorWithPrecision(Math.ulp(0.1)).containsExactly(backward);
  }

  @ParameterizedTest
  @EnumSource(names = {"F64", "F32", "BF16"})
  void theScaleOfTheWeightsDoesNotMatter(DType dtype) {
    TestTensor a = random("w", dtype, 8, 1000);
    TestTensor b = random("w", dtype, 9, 1000);
    for (boolean fisher : new boolean[] {true, false}) {
      byte[] expected = merged(a, b, method(fisher, 0.6, 0.4));
      assertThat(merged(a, b, method(fisher, 3, 2))).isEqualTo(expected);
      assertThat(merged(a, b, method(fisher, 60, 40))).isEqualTo(expected);
      assertThat(merged(a, b, method(fisher, 0.0015, 0.001))).isEqualTo(expected);
    }
  }

  private static MergeMethod method(boolean fisher, double... weights) {
    List<Double> lambda = Arrays.stream(weights).boxed().toList();
    return fisher ? new FisherMerge(lambda, true, 1e-6, false) : new LinearMerge(lambda);
  }

  private byte[] merged(TestTensor a, TestTensor b, MergeMethod method) {
    try (Scenario scenario = new Scenario(folder)) {
      scenario.model(a).fisher(fisherOf(a)).model(b).fisher(fisherOf(b));
      return bytes(scenario.run(method));
    }
  }

  /** Of the tensor's own bytes, so that it goes with the tensor wherever that stands. */
  private static TestTensor fisherOf(TestTensor tensor) {
    byte[] bytes = tensor.bytes();
    int elements = (int) tensor.shape().elements();
    float[] values = new float[elements];
    for (int k = 0; k < elements; k++) {
      values[k] = (bytes[k * bytes.length / elements] & 0x7F) / 128f;
    }
    return f32("w", tensor.shape(), values);
  }

  private static TestTensor fisher(TestTensor tensor, float scale) {
    float[] values = new float[(int) tensor.shape().elements()];
    for (int k = 0; k < values.length; k++) {
      values[k] = scale * (k % 7);
    }
    return f32("w", tensor.shape(), values);
  }

  private static byte[] bytes(Checkpoint checkpoint) {
    TensorView view = checkpoint.tensor("w");
    return view.segment().toArray(ValueLayout.JAVA_BYTE);
  }

  /** Every finite code of types up to 16 bits; of wider ones edges and random values. */
  private static TestTensor everyValue(DType dtype) {
    return switch (dtype) {
      case F64 -> wide(dtype, EDGES.length);
      case F32 -> wide(dtype, EDGES.length);
      case F16 -> codes16(dtype, 0x7C00);
      case BF16 -> codes16(dtype, 0x7F80);
      case F8_E4M3, F8_E5M2, F8_E8M0 -> codes8(dtype);
      // Any bits are finite codes.
      default -> random("w", dtype, 12, 960);
    };
  }

  private static TestTensor wide(DType dtype, int edges) {
    TestTensor random = random("w", dtype, 11, 500);
    byte[] bytes = random.bytes();
    ByteBuffer buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < edges; i++) {
      if (dtype == DType.F64) {
        buffer.putDouble(EDGES[i]);
      } else {
        float magnitude = Math.clamp((float) EDGES[i], -Float.MAX_VALUE, Float.MAX_VALUE);
        buffer.putFloat(magnitude);
      }
    }
    return new TestTensor("w", dtype, random.shape(), bytes);
  }

  private static TestTensor codes16(DType dtype, int infinity) {
    byte[] bytes = new byte[4 * infinity];
    ByteBuffer buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    for (int code = 0; code < infinity; code++) {
      buffer.putShort((short) code).putShort((short) (code | 0x8000));
    }
    return new TestTensor("w", dtype, Shape.of(2L * infinity), bytes);
  }

  private static TestTensor codes8(DType dtype) {
    ByteBuffer codes = ByteBuffer.allocate(256);
    for (int code = 0; code < 256; code++) {
      boolean finite =
          switch (dtype) {
            case F8_E4M3 -> (code & 0x7F) != 0x7F;
            case F8_E5M2 -> (code & 0x7F) < 0x7C;
            default -> code != 0xFF;
          };
      if (finite) {
        codes.put((byte) code);
      }
    }
    byte[] bytes = new byte[codes.position()];
    codes.flip().get(bytes);
    return new TestTensor("w", dtype, Shape.of(bytes.length), bytes);
  }
}
