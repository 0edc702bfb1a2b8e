package dev.smelt.formats.torch;

import static dev.smelt.formats.testing.CheckpointAssertions.assertHolds;
import static dev.smelt.formats.testing.CheckpointAssertions.assertSameTensors;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CorruptException;
import dev.smelt.formats.DType;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.testing.PickleAssembler;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.formats.testing.TestTensors;
import dev.smelt.formats.testing.TestTorch;
import dev.smelt.formats.testing.TestZip;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TorchCheckpointTest {

  private static final String CONFIG = "{\"model_type\": \"gpt2\"}";

  /** Of every type that PyTorch stores element by element. */
  private final List<TestTensor> tensors =
      TestTensors.everyType(3, 2, 6).stream().filter(t -> t.dtype().bits() >= 8).toList();

  @TempDir Path temp;

  private Path write(String name, byte[] content) {
    return TestCheckpoints.write(temp.resolve(name), content);
  }

  @Test
  void readsEveryTypeFromAZip() {
    Path file = write("model.pt", TestTorch.of(tensors).zip());
    try (Checkpoint checkpoint = Checkpoint.open(file)) {
      assertHolds(checkpoint, tensors);
      assertThat(checkpoint.tensors().stream().map(TensorView::name))
          .containsExactlyElementsOf(tensors.stream().map(TestTensor::name).toList());
      assertThat(checkpoint.kind()).isEqualTo("PyTorch file");
      assertThat(checkpoint.metadata()).isEmpty();
      assertThat(checkpoint.config()).isEmpty();
      assertThat(checkpoint.weightFiles()).containsExactly(file);
      assertThat(checkpoint.sideFiles()).isEmpty();
    }
  }

  @Test
  void readsEveryTypeFromALegacyFile() {
    Path file = write("model.th", TestTorch.of(tensors).legacy());
    try (Checkpoint checkpoint = Checkpoint.open(file)) {
      assertHolds(checkpoint, tensors);
      assertThat(checkpoint.kind()).isEqualTo("legacy PyTorch file");
    }
  }

  /** Python itself writes the same object in other opcodes for each protocol. */
  @Test
  void readsTheOpcodesOfProtocolFour() {
    byte[] pickle =
        new PickleAssembler()
            .raw(0x80, 4, 0x95)
            .u64(99)
            .ops("}")
            .raw(0x94)
            .raw(0x8c, 1)
            .ops("w")
            .raw(0x94, 0x8c, 12)
            .ops("torch._utils")
            .raw(0x8c, 18)
            .ops("_rebuild_tensor_v2")
            .raw(0x93, 0x94)
            .ops("((")
            .raw(0x8c, 7)
            .ops("storage")
            .raw(0x8c, 5)
            .ops("torch")
            .raw(0x8c, 12)
            .ops("FloatStorage")
            .raw(0x93, 0x8c, 1)
            .ops("0")
            .raw(0x8c, 3)
            .ops("cpu")
            .ops("K\002tQK\0K\002\u0085K\001\u0085")
            .bool(false)
            .ops("}tR")
            .raw(0x94)
            .ops("s")
            .stop();
    TestTensor tensor = TestTensors.f32("w", Shape.of(2), 1, -2);
    byte[] file = TestTorch.of(List.of(tensor)).zip(pickle);
    try (Checkpoint checkpoint = Checkpoint.open(write("four.pt", file))) {
      assertHolds(checkpoint, List.of(tensor));
    }
  }

  @Test
  void stridedViewsAreGathered() {
    TestTensor base = TestTensors.f32("base", Shape.of(2, 3), 1, 2, 3, 4, 5, 6);
    TestTorch file =
        TestTorch.of(List.of(base))
            .tensor("transposed", "0", 0, new long[] {3, 2}, new long[] {1, 3})
            .tensor("column", "0", 1, new long[] {2}, new long[] {3})
            .tensor("row", "0", 3, new long[] {3}, new long[] {1})
            .tensor("expanded", "0", 2, new long[] {2, 2}, new long[] {0, 0})
            .tensor("scalar", "0", 5, new long[] {}, new long[] {})
            .tensor("flat axis", "0", 0, new long[] {1, 6}, new long[] {77, 1})
            .tensor("nothing", "0", 9, new long[] {4, 0}, new long[] {5, 5});
    List<TestTensor> expected =
        List.of(
            base,
            TestTensors.f32("transposed", Shape.of(3, 2), 1, 4, 2, 5, 3, 6),
            TestTensors.f32("column", Shape.of(2), 2, 5),
            TestTensors.f32("row", Shape.of(3), 4, 5, 6),
            TestTensors.f32("expanded", Shape.of(2, 2), 3, 3, 3, 3),
            TestTensors.f32("scalar", Shape.of(), 6),
            TestTensors.f32("flat axis", Shape.of(1, 6), 1, 2, 3, 4, 5, 6),
            TestTensors.f32("nothing", Shape.of(4, 0)));
    for (byte[] bytes : List.of(file.zip(), file.legacy())) {
      try (Checkpoint checkpoint = Checkpoint.open(write("views", bytes))) {
        assertHolds(checkpoint, expected);
      }
    }
  }

  @Test
  void emptyStoragesAreRead() {
    TestTensor empty = TestTensors.f32("none", Shape.of(0));
    for (byte[] bytes :
        List.of(TestTorch.of(List.of(empty)).zip(), TestTorch.of(List.of(empty)).legacy())) {
      try (Checkpoint checkpoint = Checkpoint.open(write("empty", bytes))) {
        assertHolds(checkpoint, List.of(empty));
      }
    }
  }

  @Test
  void parametersAreTheTensorsTheyWrap() {
    TestTorch file = TestTorch.of(tensors.subList(0, 1));
    PickleAssembler pickle = PickleAssembler.start().ops("}").text("p");
    pickle.global("torch._utils", "_rebuild_parameter").ops("(");
    file.putTensor(pickle, 0).bool(true).orderedDict().ops("tRs");
    try (Checkpoint checkpoint = Checkpoint.open(write("p.pt", file.zip(pickle.stop())))) {
      assertHolds(checkpoint, List.of(tensors.getFirst().renamed("p")));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"state_dict", "model_state_dict", "model", "module", "net"})
  void aTrainingCheckpointGivesItsModelAndListsTheRest(String key) {
    TestTorch file = TestTorch.of(tensors);
    PickleAssembler beside = new PickleAssembler();
    beside.text("epoch").whole(12).text("best").real(0.5).text("name").text("a\u001b[2Jb");
    beside.text("optimizer").ops("}").text("exp_avg");
    file.putTensor(beside, 0).ops("s").text("loss");
    file.putTensor(beside, 1);
    Path path = write("training.ckpt", file.zip(file.wrapped(key, beside)));
    try (Checkpoint checkpoint = Checkpoint.open(path)) {
      assertHolds(checkpoint, tensors);
      assertThat(checkpoint.metadata())
          .containsExactlyInAnyOrderEntriesOf(
              Map.of(
                  "state dict", key,
                  "left out: epoch", "12",
                  "left out: best", "0.5",
                  "left out: name", "a?[2Jb",
                  "left out: optimizer", "a dict of 1, with tensors",
                  "left out: loss", "a tensor"));
    }
  }

  @Test
  void wrappersMayNest() {
    TestTorch file = TestTorch.of(tensors);
    PickleAssembler pickle = PickleAssembler.start().ops("}").text("model").ops("}");
    file.putStateDict(pickle.text("state_dict"), false).ops("ss");
    try (Checkpoint checkpoint = Checkpoint.open(write("n.pt", file.zip(pickle.stop())))) {
      assertHolds(checkpoint, tensors);
      assertThat(checkpoint.metadata()).containsOnly(Map.entry("state dict", "model.state_dict"));
    }
  }

  @Test
  void aKeyThatHoldsNoTensorsIsNoWrapper() {
    TestTorch file = TestTorch.of(tensors);
    PickleAssembler pickle = PickleAssembler.start();
    file.putStateDict(pickle, false).text("model").text("resnet").ops("s").text("net").ops("}s");
    try (Checkpoint checkpoint = Checkpoint.open(write("m.pt", file.zip(pickle.stop())))) {
      assertHolds(checkpoint, tensors);
      assertThat(checkpoint.metadata())
          .containsOnly(
              Map.entry("left out: model", "resnet"), Map.entry("left out: net", "a dict of 0"));
    }
  }

  @Test
  void aSixtyFourBitArchiveIsRead() {
    TestTorch file = TestTorch.of(tensors);
    TestZip zip =
        new TestZip()
            .wide()
            .comment("made for a test")
            .stored(TestTorch.FOLDER + "data.pkl", file.pickle());
    try (Checkpoint checkpoint = Checkpoint.open(write("wide.pt", file.addStorages(zip).bytes()))) {
      assertHolds(checkpoint, tensors);
    }
  }

  @Test
  void aFolderOfOneFileIsAModel() {
    Path folder = temp.resolve("model");
    Path weights = folder.resolve("pytorch_model.bin");
    TestCheckpoints.write(weights, TestTorch.of(tensors).zip());
    TestCheckpoints.write(folder.resolve("config.json"), CONFIG);
    TestCheckpoints.write(folder.resolve("tokenizer.json"), "{}");
    TestCheckpoints.write(folder.resolve("training_args.bin"), "x");
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      assertHolds(checkpoint, tensors);
      assertThat(checkpoint.kind()).isEqualTo("Hugging Face folder of PyTorch weights");
      assertThat(checkpoint.config().orElseThrow().modelType()).isEqualTo("gpt2");
      assertThat(checkpoint.weightFiles()).containsExactly(weights);
      assertThat(checkpoint.sideFiles()).containsExactly(folder.resolve("tokenizer.json"));
    }
  }

  @Test
  void shardsAreReadByTheirIndex() {
    Path folder = temp.resolve("model");
    TestCheckpoints.write(folder.resolve("a.bin"), TestTorch.of(tensors.subList(0, 5)).zip());
    List<TestTensor> others = tensors.subList(5, tensors.size());
    TestCheckpoints.write(folder.resolve("b.bin"), TestTorch.of(others).legacy());
    writeIndex(folder, "b.bin");
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      assertHolds(checkpoint, tensors);
      assertThat(checkpoint.kind()).isEqualTo("Hugging Face folder of PyTorch weights, 2 shards");
      assertThat(checkpoint.weightFiles())
          .containsExactly(folder.resolve("a.bin"), folder.resolve("b.bin"));
      assertThat(checkpoint.sideFiles()).isEmpty();
    }
    TestCheckpoints.write(
        folder.resolve("b.bin"), TestTorch.of(others.subList(1, others.size())).zip());
    assertThatThrownBy(() -> Checkpoint.open(folder))
        .isExactlyInstanceOf(CorruptException.class)
        .hasMessageContainingAll("no shard holds", "|" + others.getFirst().name());
  }

  @Test
  void anIndexMayNotNameOtherFiles() {
    Path folder = temp.resolve("model");
    TestCheckpoints.write(folder.resolve("b.safetensors"), "x");
    writeIndex(folder, "b.safetensors");
    assertThatThrownBy(() -> Checkpoint.open(folder))
        .isExactlyInstanceOf(CorruptException.class)
        .hasMessageContainingAll("pytorch_model.bin.index.json", "b.safetensors");
  }

  private void writeIndex(Path folder, String second) {
    Map<String, String> shardOf = new HashMap<>();
    for (int i = 0; i < tensors.size(); i++) {
      shardOf.put(tensors.get(i).name(), i < 5 ? "a.bin" : second);
    }
    TestCheckpoints.write(
        folder.resolve("pytorch_model.bin.index.json"), TestCheckpoints.index(shardOf));
  }

  @Test
  void safetensorsWinOverPickles() {
    Path both = TestCheckpoints.folder(temp.resolve("both"), CONFIG, tensors);
    TestCheckpoints.write(
        both.resolve("pytorch_model.bin"), TestTorch.of(tensors.subList(0, 1)).zip());
    Path plain = TestCheckpoints.folder(temp.resolve("plain"), CONFIG, tensors);
    assertSameTensors(both, plain);
  }

  @Test
  void sharedStoragesGiveTensorsOfTheSameBytes() {
    TestTensor first = TestTensors.random("wte", DType.BF16, 9, 4, 4);
    TestTorch file =
        TestTorch.of(List.of(first)).tensor("head", "0", 0, new long[] {4, 4}, new long[] {4, 1});
    try (Checkpoint checkpoint = Checkpoint.open(write("tied.bin", file.zip()))) {
      assertHolds(checkpoint, Arrays.asList(first, first.renamed("head")));
      // Both are the place in the file: nothing was copied.
      assertThat(checkpoint.tensor("head").segment().address())
          .isEqualTo(checkpoint.tensor("wte").segment().address());
    }
  }
}
