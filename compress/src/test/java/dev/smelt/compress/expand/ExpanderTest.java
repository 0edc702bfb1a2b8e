package dev.smelt.compress.expand;

import static dev.smelt.formats.testing.TestTensors.bf16;
import static dev.smelt.formats.testing.TestTensors.f32;
import static dev.smelt.formats.testing.TestTensors.i64;
import static dev.smelt.formats.testing.TestTensors.random;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.compress.factorize.ErrorLimit;
import dev.smelt.compress.testing.Factorization;
import dev.smelt.compress.testing.Plain;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CorruptException;
import dev.smelt.formats.DType;
import dev.smelt.formats.LimitException;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.NonFiniteException;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.manifest.TensorRecord;
import dev.smelt.formats.testing.CheckpointAssertions;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensor;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ExpanderTest {

  /** Of a matrix from full-rank factors in f32: two roundings and their products. */
  private static final double FULL_RANK_TOLERANCE = 1e-6;

  private static final String GPT2 =
      "{\"model_type\": \"gpt2\", \"torch_dtype\": \"float32\", \"mine\": {\"kept\": true}}";

  /** Two modules by hand: A·B = [[3, 4], [6, 8]], stored as it is and transposed. */
  private static final String LIST =
      "{\"low_rank_modules\": {\"m\": {\"rank\": 1}, \"t\": {\"rank\": 1, \"transposed\": true}}}";

  @TempDir private Path folder;

  private static List<TestTensor> byHand() {
    TestTensor a = f32("m.ALinear.weight", Shape.of(2, 1), 1, 2);
    TestTensor b = f32("m.BLinear.weight", Shape.of(1, 2), 3, 4);
    return List.of(
        a,
        b,
        f32("m.ALinear.bias", Shape.of(2), 7, 8),
        a.renamed("t.ALinear.weight"),
        b.renamed("t.BLinear.weight"),
        i64("ids", Shape.of(1), 5));
  }

  private Path model(List<TestTensor> tensors) {
    return TestCheckpoints.folder(folder.resolve("in"), LIST, tensors);
  }

  private Path expand(Path source, Optional<DType> dtype) {
    return Expansion.of(source, folder.resolve("expanded"), dtype);
  }

  @Test
  void factorsBecomeTheirProduct() {
    try (Checkpoint dense = Checkpoint.open(expand(model(byHand()), Optional.empty()))) {
      CheckpointAssertions.assertHolds(
          dense,
          List.of(
              f32("m.weight", Shape.of(2, 2), 3, 4, 6, 8),
              f32("m.bias", Shape.of(2), 7, 8),
              f32("t.weight", Shape.of(2, 2), 3, 6, 4, 8),
              i64("ids", Shape.of(1), 5)));
      assertThat(dense.config().orElseThrow().toJson().strip()).isEqualTo("{}");
    }
  }

  @Test
  void recordsSayWhatWasDone() {
    try (Checkpoint checkpoint = Checkpoint.open(model(byHand()))) {
      assertThat(new Expander(checkpoint, Optional.empty()).records())
          .containsExactlyInAnyOrder(
              TensorRecord.of("m.weight", TensorRecord.EXPANDED, 16, 16),
              TensorRecord.of("t.weight", TensorRecord.EXPANDED, 16, 16),
              TensorRecord.kept("m.bias", null, 8, 8),
              TensorRecord.kept("ids", null, 8, 8));
    }
  }

  @Test
  void anotherTypeIsForEveryFloat() {
    Path out = expand(model(byHand()), Optional.of(DType.BF16));
    try (Checkpoint dense = Checkpoint.open(out)) {
      CheckpointAssertions.assertHolds(
          dense,
          List.of(
              bf16("m.weight", Shape.of(2, 2), 3, 4, 6, 8),
              bf16("m.bias", Shape.of(2), 7, 8),
              bf16("t.weight", Shape.of(2, 2), 3, 6, 4, 8),
              i64("ids", Shape.of(1), 5)));
      assertThat(dense.config().orElseThrow().text("torch_dtype")).contains("bfloat16");
    }
  }

  @Test
  void expandingFullRankFactorsGivesTheModelBack() {
    List<TestTensor> tensors =
        List.of(
            random("transformer.h.0.attn.c_attn.bias", DType.F32, 1, 24),
            Plain.tensor("transformer.h.0.attn.c_attn.weight", Plain.random(8, 24, 2)),
            Plain.tensor("transformer.h.0.mlp.c_proj.weight", Plain.random(24, 8, 3)),
            Plain.tensor("transformer.h.1.mlp.c_proj.weight", Plain.ofRank(9, 9, 2, 4)),
            random("transformer.wte.weight", DType.BF16, 5, 11, 8));
    Path source = TestCheckpoints.folder(folder.resolve("source"), GPT2, tensors);
    Factorization.Setup full = Factorization.plain(new ErrorLimit(0)).evenIfLarger();
    Factorization done = full.run(source, folder.resolve("factors"));
    assertThat(done.record("transformer.h.0.mlp.c_proj.weight").rank()).isEqualTo(8);
    try (Checkpoint expected = Checkpoint.open(source);
        Checkpoint actual = Checkpoint.open(expand(done.target(), Optional.empty()))) {
      assertThat(actual.infos()).containsExactlyInAnyOrderElementsOf(expected.infos());
      assertThat(actual.config()).isEqualTo(expected.config());
      assertThat(actual.metadata()).isEqualTo(Map.of("format", "pt"));
      for (TensorView view : expected.tensors()) {
        TensorView found = actual.tensor(view.name());
        if (view.name().contains(".c_") && view.shape().isMatrix()) {
          assertThat(Plain.relativeError(Plain.rows(view), Plain.rows(found)))
              .as(view.name())
              .isLessThan(FULL_RANK_TOLERANCE);
        } else {
          assertThat(found.segment().mismatch(view.segment())).isEqualTo(-1);
        }
      }
    }
  }

  @Test
  void aFileIsExpandedByItsHeader() {
    TestTensor w = Plain.tensor("m.weight", Plain.ofRank(12, 10, 2, 6));
    Path source = TestCheckpoints.file(folder.resolve("source.safetensors"), List.of(w));
    Path factors = folder.resolve("factors.safetensors");
    Factorization.Setup options = Factorization.plain(new ErrorLimit(1e-5));
    assertThat(options.run(source, factors).record("m.weight").rank()).isEqualTo(2);
    try (Checkpoint expected = Checkpoint.open(source);
        Checkpoint actual = Checkpoint.open(expand(factors, Optional.empty()))) {
      assertThat(actual.infos()).isEqualTo(expected.infos());
      assertThat(
              Plain.relativeError(
                  Plain.rows(expected.tensor("m.weight")), Plain.rows(actual.tensor("m.weight"))))
          .isLessThan(FULL_RANK_TOLERANCE);
    }
  }

  @Test
  void aDenseModelHasNothingToExpand() {
    Path source =
        TestCheckpoints.file(
            folder.resolve("dense.safetensors"), List.of(random("w", DType.F32, 1, 3)));
    assertThatThrownBy(() -> expand(source, Optional.empty()))
        .isInstanceOf(MismatchException.class)
        .hasMessageContaining("nothing to expand [" + source + "]");
  }

  @Test
  void aMissingFactorIsNamed() {
    for (String name : List.of("m.ALinear.weight", "t.BLinear.weight")) {
      List<TestTensor> tensors = new ArrayList<>(byHand());
      tensors.removeIf(tensor -> tensor.name().equals(name));
      Path source = model(tensors);
      assertThatThrownBy(() -> expand(source, Optional.empty()))
          .isInstanceOf(NotFoundException.class)
          .hasMessageContaining(source.toString())
          .hasMessageContaining("'" + name + "'");
    }
  }

  @Test
  void factorsThatDoNotFitAreRefused() {
    assertMisfit(f32("m.BLinear.weight", Shape.of(2, 1), 3, 4), "F32 [2,1]");
    assertMisfit(f32("m.ALinear.weight", Shape.of(2), 3, 4), "F32 [2] and F32 [1,2]");
    assertMisfit(i64("m.ALinear.weight", Shape.of(2, 1), 3, 4), "I64 [2,1]");
  }

  private void assertMisfit(TestTensor replacement, String... messages) {
    List<TestTensor> tensors = new ArrayList<>(byHand());
    tensors.replaceAll(tensor -> tensor.name().equals(replacement.name()) ? replacement : tensor);
    Path source = model(tensors);
    assertThatThrownBy(() -> expand(source, Optional.empty()))
        .isInstanceOf(CorruptException.class)
        .hasMessageContaining(source + "|m]")
        .hasMessageContaining("[out,1] and [1,in]")
        .hasMessageContaining(messages[messages.length - 1]);
  }

  @Test
  void aFactorThatNoListNamesIsRefused() {
    List<TestTensor> tensors = new ArrayList<>(byHand());
    tensors.add(f32("u.BLinear.weight", Shape.of(1, 2), 3, 4));
    Path source = model(tensors);
    assertThatThrownBy(() -> expand(source, Optional.empty()))
        .isInstanceOf(CorruptException.class)
        .hasMessageContaining(source + "|u.BLinear.weight")
        .hasMessageContaining("low_rank_modules");
  }

  @Test
  void aNonFiniteFactorIsNamed() {
    List<TestTensor> tensors = new ArrayList<>(byHand());
    tensors.set(1, f32("m.BLinear.weight", Shape.of(1, 2), 3, Float.NaN));
    Path source = model(tensors);
    assertThatThrownBy(() -> expand(source, Optional.empty()))
        .isInstanceOf(NonFiniteException.class)
        .hasMessageContaining("[m.BLinear.weight]")
        .hasMessageContaining("index 1");
  }

  @Test
  void aProductBeyondTheTypeIsNamed() {
    List<TestTensor> tensors = new ArrayList<>(byHand());
    tensors.set(1, f32("m.BLinear.weight", Shape.of(1, 2), 3, 40000));
    Path source = model(tensors);
    assertThatThrownBy(() -> expand(source, Optional.of(DType.F16)))
        .isInstanceOf(LimitException.class)
        .hasMessageContaining("[m.weight]")
        .hasMessageContaining("found 80000.0 at index 3");
    CheckpointAssertions.assertNoLeftovers(folder);
  }

  @Test
  void aModelIsSeenAsTheDenseOneItStandsFor() {
    try (Checkpoint checkpoint = Checkpoint.open(model(byHand()))) {
      DenseModel model = DenseModel.of(checkpoint);
      assertThat(model.isFactorized()).isTrue();
      assertThat(model.tensors())
          .extracting(tensor -> tensor.info().name())
          .containsExactly("m.weight", "m.bias", "t.weight", "ids");
      DenseTensor product = model.tensors().getFirst();
      assertThat(product.info().shape()).isEqualTo(Shape.of(2, 2));
      assertThat(product.rank()).hasValue(1);
      assertThat(product.storedElements()).isEqualTo(4);
      assertThat(product.storedBytes()).isEqualTo(16);
      DenseTensor bias = model.tensors().get(1);
      assertThat(bias.rank()).isEmpty();
      assertThat(bias.storedElements()).isEqualTo(2);
      assertThat(bias.storedBytes()).isEqualTo(8);
    }
  }

  @Test
  void aDenseModelIsItself() {
    Path source =
        TestCheckpoints.file(
            folder.resolve("dense.safetensors"),
            List.of(random("w", DType.F32, 1, 3), random("a.bias", DType.BF16, 2, 4)));
    try (Checkpoint checkpoint = Checkpoint.open(source)) {
      DenseModel model = DenseModel.of(checkpoint);
      assertThat(model.isFactorized()).isFalse();
      assertThat(model.tensors().stream().map(DenseTensor::info)).isEqualTo(checkpoint.infos());
    }
  }
}
