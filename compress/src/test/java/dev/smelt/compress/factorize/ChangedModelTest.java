package dev.smelt.compress.factorize;

import static dev.smelt.formats.testing.TestTensors.bf16;
import static dev.smelt.formats.testing.TestTensors.f32;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.compress.expand.DenseModel;
import dev.smelt.compress.expand.DenseTensor;
import dev.smelt.compress.factorize.FactoredModel.LayerState;
import dev.smelt.compress.layer.Factors;
import dev.smelt.compress.layer.Layer;
import dev.smelt.compress.layer.StoredTensors;
import dev.smelt.compress.testing.TestDevice;
import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CheckpointWriter;
import dev.smelt.formats.DType;
import dev.smelt.formats.OutputOptions;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.model.Axis;
import dev.smelt.formats.model.Basis;
import dev.smelt.formats.model.FusedPart;
import dev.smelt.formats.model.LowRank;
import dev.smelt.formats.model.Sharing;
import dev.smelt.formats.model.Slice;
import dev.smelt.formats.storage.Scratch;
import dev.smelt.formats.storage.Storage;
import dev.smelt.formats.testing.CheckpointAssertions;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensor;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Models with matrices that are stored as a change of others. */
class ChangedModelTest {

  private static final List<TestTensor> TENSORS =
      List.of(
          bf16("m.weight", Shape.of(2, 2), 13, 24, 36, 48),
          f32("m.bias", Shape.of(2), 7, 8),
          f32("n.weight", Shape.of(2, 1), 5, 10),
          f32("n.bias", Shape.of(2), 5, 6));

  private static final List<TestTensor> WRITTEN =
      List.of(
          bf16("m.weight", Shape.of(2, 2), 10, 20, 30, 40),
          f32("smelt.basis.3", Shape.of(2, 1), 1, 2),
          f32("m.BLinear.weight", Shape.of(1, 2), 3, 4),
          f32("m.bias", Shape.of(2), 7, 8),
          f32("n.BLinear.weight", Shape.of(1, 1), 5),
          f32("n.ALinear.bias", Shape.of(2), 5, 6));

  @TempDir private Path folder;

  private static Layer layer(Checkpoint model, String module, Optional<FusedPart> part) {
    return new Layer(model.path(), module, model.tensor(module + ".weight"), false, part);
  }

  /** m is a change, with n's basis. */
  private static FactoredModel model(Checkpoint model, StoredTensors stored) {
    TensorView a = stored.of("smelt.basis.3", DType.F32, Shape.of(2, 1), new double[] {1, 2});
    TensorView b = stored.of("m.BLinear.weight", DType.F32, Shape.of(1, 2), new double[] {3, 4});
    TensorView c = stored.of("n.BLinear.weight", DType.F32, Shape.of(1, 1), new double[] {5});
    double[] base = {10, 20, 30, 40};
    SequencedMap<String, LayerState> layers = new LinkedHashMap<>();
    layers.put(
        "m",
        new LayerState.Changed(
            layer(model, "m", Optional.empty()),
            stored.of("m.weight", DType.BF16, Shape.of(2, 2), base),
            new Factors(a, b)));
    layers.put(
        "n", new LayerState.Factored(layer(model, "n", Optional.empty()), new Factors(a, c)));
    return new FactoredModel(model, "plain", layers, stored);
  }

  @Test
  void baseAndFactorsAreWritten() {
    Path source = TestCheckpoints.folder(folder.resolve("in"), "{}", TENSORS);
    Path target = folder.resolve("out");
    try (Checkpoint model = Checkpoint.open(source);
        Scratch scratch = Storage.local().scratch(folder)) {
      FactoredModel changed = model(model, new StoredTensors(scratch, folder, Optional.empty()));
      assertThat(changed.lowRank().modules())
          .containsEntry("m", new LowRank.Module(1, false, new Sharing.OfA(new Basis(3)), true))
          .containsEntry("n", new LowRank.Module(1, false, new Sharing.OfA(new Basis(3))))
          .hasSize(2);
      List<double[]> dense =
          DenseModel.of(changed).tensors().stream()
              .filter(DenseTensor.Product.class::isInstance)
              .map(tensor -> ((DenseTensor.Product) tensor).multiply(TestDevice.get()))
              .toList();
      assertThat(dense.getFirst()).containsExactly(13, 24, 36, 48);
      assertThat(dense.getLast()).containsExactly(5, 10);
      OutputOptions output = OutputOptions.to(target);
      try (CheckpointWriter writer =
          CheckpointWriter.create(output, changed.content(Optional.empty()))) {
        changed.write(writer);
        writer.commitWithoutManifest();
      }
    }
    try (Checkpoint written = Checkpoint.open(target)) {
      CheckpointAssertions.assertHolds(written, WRITTEN);
      assertThat(written.config().orElseThrow().get("low_rank_modules").toString())
          .isEqualTo(
              "{\"m\":{\"rank\":1,\"A\":\"smelt.basis.3\",\"delta\":true},"
                  + "\"n\":{\"rank\":1,\"A\":\"smelt.basis.3\"}}");
    }
  }

  @Test
  void otherFactorsChangeTheSameMatrix() {
    Path source = TestCheckpoints.folder(folder.resolve("in"), "{}", TENSORS);
    try (Checkpoint model = Checkpoint.open(source);
        Scratch scratch = Storage.local().scratch(folder)) {
      StoredTensors stored = new StoredTensors(scratch, folder, Optional.empty());
      TensorView a = stored.of("m.ALinear.weight", DType.F32, Shape.of(2, 1), new double[] {0, 1});
      TensorView b = stored.of("m.BLinear.weight", DType.F32, Shape.of(1, 2), new double[] {1, 2});
      FactoredModel other = model(model, stored).with(Map.of("m", new Factors(a, b)));
      assertThat(other.lowRank().modules().get("m"))
          .isEqualTo(new LowRank.Module(1, false, new Sharing.None(), true));
      assertThat(other.tensor("m.weight").toDoubles()).containsExactly(10, 20, 30, 40);
    }
  }

  @Test
  void aBaseThatIsNoneIsRefused() {
    Path source = TestCheckpoints.folder(folder.resolve("in"), "{}", TENSORS);
    try (Checkpoint model = Checkpoint.open(source)) {
      TensorView m = model.tensor("m.weight");
      Factors any = new Factors(m, m);
      Layer whole = layer(model, "m", Optional.empty());
      for (String other : List.of("n.weight", "m.bias")) {
        assertThatThrownBy(() -> new LayerState.Changed(whole, model.tensor(other), any))
            .isInstanceOf(IllegalArgumentException.class)
            .hasMessageContaining(other);
      }
      Layer part =
          layer(model, "m", Optional.of(new FusedPart("q", Slice.range(Axis.OUTPUT, 0, 1))));
      assertThatThrownBy(() -> new LayerState.Changed(part, m, any))
          .isInstanceOf(IllegalArgumentException.class);
    }
  }
}
