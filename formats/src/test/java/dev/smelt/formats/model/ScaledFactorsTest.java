package dev.smelt.formats.model;

import static dev.smelt.formats.testing.TestTensors.bf16;
import static dev.smelt.formats.testing.TestTensors.f32;
import static dev.smelt.formats.testing.TestTensors.f64;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.formats.BadInputException;
import dev.smelt.formats.CorruptException;
import dev.smelt.formats.DType;
import dev.smelt.formats.ModelConfig;
import dev.smelt.formats.NonFiniteException;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.testing.TestTensor;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Factors of integers, with scales beside them. */
class ScaledFactorsTest {

  /** m has both factors in integers, n a basis of integers and coefficients of 16 bits. */
  private static final String LIST =
      """
      {DTYPE"low_rank_modules": {
         "m": {"rank": 2},
         "n": {"rank": 1, "A": "smelt.basis.3"},
         "o": {"rank": 1, "A": "smelt.basis.3"}}}
      """;

  private static final List<TestTensor> TENSORS =
      List.of(
          i8("m.ALinear.weight", Shape.of(3, 2), 127, -127, 0, 1, -128, 64),
          f32("m.ALinear.weight_scale", Shape.of(3, 1), 0.5f, 0, 2),
          i8("m.BLinear.weight", Shape.of(2, 2), 1, 2, 3, 4),
          f32("m.BLinear.weight_scale", Shape.of(2, 1), 1, 0.1f),
          i8("smelt.basis.3", Shape.of(2, 1), 10, 20),
          f32("smelt.basis.3_scale", Shape.of(2, 1), 1, 0.25f),
          bf16("n.BLinear.weight", Shape.of(1, 2), 1, 2),
          f32("o.BLinear.weight", Shape.of(1, 3), 1, 2, 3));

  @TempDir Path temp;

  private static TestTensor i8(String name, Shape shape, int... values) {
    byte[] bytes = new byte[values.length];
    for (int i = 0; i < values.length; i++) {
      bytes[i] = (byte) values[i];
    }
    return new TestTensor(name, DType.I8, shape, bytes);
  }

  private StoredModel model() {
    return model("");
  }

  /**
   * @param dtype of the model, as its config has it
   */
  private StoredModel model(String dtype) {
    return new StoredModel(temp, LIST.replace("DTYPE", dtype), TENSORS);
  }

  @Test
  void valuesAreIntegersTimesTheScaleOfTheirRow() {
    model()
        .read(
            checkpoint -> {
              TensorView a = LowRank.factor(checkpoint, "m.ALinear.weight");
              assertThat(a.toDoubles()).containsExactly(63.5, -63.5, 0, 0, -256, 128);
              assertThat(a.toFloats()).containsExactly(63.5f, -63.5f, 0, 0, -256, 128);
              double[] part = new double[3];
              a.read(1, 3, part);
              assertThat(part).containsExactly(-63.5, 0, 0);
              assertThat(a.firstNonFinite()).isEmpty();
              assertThat(a.holdsReals()).isTrue();
              assertThat(a.dtype()).isEqualTo(DType.I8);
              assertThat(a.info().bytes()).isEqualTo(6);
              assertThat(a.storedBytes()).isEqualTo(18);
              assertThat(a.stored().stream().map(TensorView::name))
                  .containsExactly("m.ALinear.weight", "m.ALinear.weight_scale");
              assertThat(a.reshaped(Shape.of(3, 1, 2)).toDoubles()).containsExactly(a.toDoubles());
              assertThatThrownBy(() -> a.reshaped(Shape.of(2, 3)))
                  .isInstanceOf(IllegalArgumentException.class);
              double scale = 0.1f;
              assertThat(LowRank.factor(checkpoint, "m.BLinear.weight").toDoubles())
                  .containsExactly(1, 2, 3 * scale, 4 * scale);
              assertThat(LowRank.find(checkpoint, "smelt.basis.3").orElseThrow().toDoubles())
                  .containsExactly(10, 5);
              assertThat(LowRank.find(checkpoint, "smelt.basis.4")).isEmpty();
              return true;
            });
  }

  /** Without their scales they are no numbers. */
  @Test
  void integersAloneAreNotRead() {
    model()
        .read(
            checkpoint -> {
              TensorView raw = checkpoint.tensor("m.ALinear.weight");
              assertThat(raw.holdsReals()).isFalse();
              assertThatThrownBy(raw::toDoubles).isInstanceOf(UnsupportedException.class);
              TensorView scaled = LowRank.factor(checkpoint, "m.ALinear.weight");
              assertThat(raw.sameBits(scaled)).isFalse();
              assertThat(scaled.sameBits(scaled)).isTrue();
              assertThat(raw.sameBits(raw)).isTrue();
              return true;
            });
  }

  @Test
  void scalesAreAmongTheTensorsOfAMatrix() {
    assertThat(model().names(FactoredTensor::tensors))
        .containsExactly(
            List.of(
                "m.ALinear.weight",
                "m.ALinear.weight_scale",
                "m.BLinear.weight",
                "m.BLinear.weight_scale"),
            List.of("smelt.basis.3", "smelt.basis.3_scale", "n.BLinear.weight"),
            List.of("smelt.basis.3", "smelt.basis.3_scale", "o.BLinear.weight"));
    assertThat(model().names(FactoredTensor::ownTensors).getLast())
        .containsExactly("o.BLinear.weight");
    assertThat(model().names(tensor -> tensor.bases()).getLast())
        .containsExactly("smelt.basis.3", "smelt.basis.3_scale");
  }

  /** Integers count as what the config names; a factor of floats may be wider. */
  @ParameterizedTest
  @CsvSource({
    "'', F32 F32 F32",
    "'\"torch_dtype\": \"bfloat16\",', BF16 BF16 F32",
    "'\"dtype\": \"float16\",', F16 F16 F32",
    "'\"torch_dtype\": \"float64\",', F64 F64 F64",
    "'\"torch_dtype\": \"int8\",', F32 F32 F32",
    "'\"torch_dtype\": \"auto\",', F32 F32 F32",
    "'\"torch_dtype\": null,', F32 F32 F32"
  })
  void theDenseTensorHasTheTypeOfTheModel(String dtype, String expected) {
    List<String> found = model(dtype).each(tensor -> tensor.info().dtype().label());
    assertThat(String.join(" ", found)).isEqualTo(expected);
  }

  private void assertRefused(
      Class<? extends BadInputException> type, StoredModel model, String... message) {
    assertThatThrownBy(() -> model.read(FactoredTensor::of))
        .isInstanceOf(type)
        .hasMessageContainingAll(message);
  }

  @Test
  void missingScalesAreNamed() {
    for (String name : List.of("m.ALinear.weight_scale", "smelt.basis.3_scale")) {
      assertRefused(
          NotFoundException.class, model().without(name), "expected '" + name + "' F32 [");
    }
  }

  @Test
  void scalesOfAnotherShapeOrTypeAreRefused() {
    String name = "m.BLinear.weight_scale";
    String where = "|" + name + "]";
    assertRefused(
        CorruptException.class,
        model().with(f32(name, Shape.of(2), 1, 2)),
        where,
        "expected F32 [2,1], found F32 [2]");
    assertRefused(CorruptException.class, model().with(f32(name, Shape.of(1, 2), 1, 2)), where);
    assertRefused(CorruptException.class, model().with(f32(name, Shape.of(3, 1), 1, 2, 3)), where);
    assertRefused(
        CorruptException.class,
        model().with(f64(name, Shape.of(2, 1), 1, 2)),
        where,
        "found F64 [2,1]");
    assertRefused(CorruptException.class, model().with(bf16(name, Shape.of(2, 1), 1, 2)), where);
  }

  @Test
  void scalesThatAreNoneAreRefused() {
    String name = "smelt.basis.3_scale";
    for (float none : new float[] {Float.NaN, Float.POSITIVE_INFINITY}) {
      assertRefused(
          NonFiniteException.class,
          model().with(f32(name, Shape.of(2, 1), 1, none)),
          "|" + name + "]",
          "found " + none + " for row 1");
    }
    assertRefused(
        CorruptException.class,
        model().with(f32(name, Shape.of(2, 1), -1, 1)),
        "|" + name + "]",
        "found -1.0 for row 0");
  }

  @Test
  void scalesOfFloatsAreRefused() {
    String name = "n.BLinear.weight_scale";
    assertRefused(
        CorruptException.class,
        model().with(f32(name, Shape.of(1, 1), 1)),
        "|" + name + "]",
        "expected none beside BF16 factors");
    assertRefused(
        CorruptException.class,
        model().with(f32("smelt.basis.3", Shape.of(2, 1), 1, 2)),
        "|smelt.basis.3_scale]",
        "expected none beside F32 factors");
  }

  @Test
  void scalesOfNoBasisAreRefused() {
    assertRefused(
        CorruptException.class,
        model().with(f32("smelt.basis.4_scale", Shape.of(2, 1), 1, 2)),
        "|smelt.basis.4_scale]",
        "names it");
    assertRefused(
        CorruptException.class,
        model().with(f32("smelt.basis.3_scale_scale", Shape.of(2, 1), 1, 2)),
        "expected smelt.basis.<number>");
  }

  @Test
  void integersWithoutRowsAreRefused() {
    assertRefused(
        CorruptException.class,
        model().with(i8("m.ALinear.weight", Shape.of(), 1)),
        "|m.ALinear.weight]",
        "found []");
    assertRefused(
        CorruptException.class,
        model().with(i8("m.ALinear.weight", Shape.of(0, 2))),
        "|m.ALinear.weight]",
        "found [0,2]");
  }

  /** Other integers have no scales. */
  @Test
  void otherIntegersAreNoFactors() {
    byte[] bytes = new byte[6];
    assertRefused(
        CorruptException.class,
        model().with(new TestTensor("o.BLinear.weight", DType.U8, Shape.of(1, 6), bytes)),
        "|o]",
        "and U8 [1,6]");
  }

  @Test
  void theConfigListsThemForReadersThatNeedToKnow() {
    ModelConfig config = ModelConfig.parse("{\"a\": 1}");
    ModelConfig listed = LowRank.withScaled(config, List.of("smelt.basis.3"));
    assertThat(listed.get("low_rank_int8").toString()).isEqualTo("[\"smelt.basis.3\"]");
    assertThat(LowRank.undescribe(listed)).isEqualTo(config);
    assertThat(LowRank.withScaled(config, List.of())).isEqualTo(config);
  }
}
