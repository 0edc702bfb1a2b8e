package dev.smelt.formats.torch;

import static dev.smelt.formats.testing.CheckpointAssertions.assertHolds;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.DType;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.storage.Storage;
import dev.smelt.formats.testing.PickleAssembler;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.formats.testing.TestTensors;
import dev.smelt.formats.testing.TestTorch;
import dev.smelt.formats.testing.TestZip;
import dev.smelt.formats.zip.ZipArchive;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TorchScriptTest {

  private static final String CODE =
      """
      class Net(Module):
        __parameters__ = ["weight", "tied", "turned", ]
        __buffers__ = ["mean", ]
      """;

  private final TestTensor weight = TestTensors.f32("weight", Shape.of(2, 2), 1, 2, 3, 4);
  private final TestTensor mean = TestTensors.f16("mean", Shape.of(2), 1, 2);

  @TempDir Path temp;
  private Path module = Path.of("");

  /** "tied" is the tensor "weight" itself, "turned" another view of the same storage. */
  @BeforeEach
  void writeModule() {
    TestTorch torch =
        TestTorch.of(List.of(weight, mean))
            .tensor("turned", "0", 0, new long[] {2, 2}, new long[] {1, 2});
    PickleAssembler pickle = PickleAssembler.start();
    pickle.global("__torch__", "Net").ops(")").raw(0x81).ops("}(").text("weight");
    torch.putTensor(pickle, 0).ops("q\7").text("tied").ops("h\7").text("mean");
    torch.putTensor(pickle, 1).text("turned");
    TestZip zip = TestTorch.head(torch.putTensor(pickle, 2).ops("ub").stop());
    byte[] code = CODE.getBytes(StandardCharsets.UTF_8);
    zip.deflated(TestTorch.FOLDER + "code/__torch__.py", code);
    zip.stored(TestTorch.FOLDER + "constants.pkl", PickleAssembler.start().ops(")").stop());
    module = TestCheckpoints.write(temp.resolve("net.pt"), torch.addStorages(zip).bytes());
  }

  private Set<String> write(Path target, List<TestTensor> tensors) {
    Path file = TestCheckpoints.file(temp.resolve("values.safetensors"), tensors);
    try (TorchScript script = TorchScript.open(module);
        Checkpoint checkpoint = Checkpoint.open(file)) {
      Map<String, TensorView> values = new HashMap<>();
      checkpoint.tensors().forEach(view -> values.put(view.name(), view));
      return script.write(target, values);
    }
  }

  private static TestTensor four(String name, float... values) {
    return TestTensors.f32(name, Shape.of(2, 2), values);
  }

  @Test
  void placesSayWhatIsTheSameTensor() {
    try (TorchScript script = TorchScript.open(module)) {
      assertThat(script.places().stream().map(TorchScript.Place::name))
          .containsExactly("weight", "tied", "mean", "turned");
      assertThat(script.places().stream().map(TorchScript.Place::isParameter))
          .containsExactly(true, true, false, true);
      assertThat(script.places().get(1).aliasOf()).contains("weight");
      assertThat(script.places().get(3).aliasOf()).isEmpty();
    }
  }

  @Test
  void valuesGoIntoEveryView() {
    Path out = temp.resolve("out.pt");
    List<TestTensor> values =
        List.of(
            four("weight", 5, 6, 7, 8),
            four("tied", 5, 6, 7, 8),
            four("turned", 5, 7, 6, 8),
            TestTensors.f16("mean", Shape.of(2), 3, 4));
    assertThat(write(out, values)).isEmpty();
    try (Checkpoint written = Checkpoint.open(out)) {
      assertHolds(written, values);
      assertThat(written.kind()).isEqualTo("TorchScript file");
    }
  }

  @Test
  void whatIsNotGivenStays() {
    Path out = temp.resolve("out.pt");
    write(out, List.of(TestTensors.f16("mean", Shape.of(2), 3, 4)));
    try (Checkpoint written = Checkpoint.open(out)) {
      assertThat(written.tensor("weight").toFloats()).containsExactly(1, 2, 3, 4);
      assertThat(written.tensor("mean").toFloats()).containsExactly(3, 4);
    }
  }

  @Test
  void tiedPlacesNeedTheSameValues() {
    List<TestTensor> values = List.of(four("weight", 5, 6, 7, 8), four("turned", 5, 6, 7, 8));
    assertThatThrownBy(() -> write(temp.resolve("out.pt"), values))
        .isExactlyInstanceOf(MismatchException.class)
        .hasMessageContainingAll("net.pt|weight", "same memory");
  }

  @Test
  void floatsAreConvertedAndRoundingIsReported() {
    Path out = temp.resolve("out.pt");
    assertThat(write(out, List.of(TestTensors.f32("mean", Shape.of(2), 0.5f, 2)))).isEmpty();
    assertThat(write(out, List.of(TestTensors.f32("mean", Shape.of(2), 0.1f, 2))))
        .containsExactly("mean");
    try (Checkpoint written = Checkpoint.open(out)) {
      assertThat(written.tensor("mean").dtype()).isEqualTo(DType.F16);
      assertThat(written.tensor("mean").toFloats())
          .containsExactly(Float.float16ToFloat(Float.floatToFloat16(0.1f)), 2);
    }
    assertThatThrownBy(() -> write(out, List.of(TestTensors.f32("mean", Shape.of(2), 1, 1e6f))))
        .isExactlyInstanceOf(MismatchException.class)
        .hasMessageContainingAll("mean", "element 1", "F16");
    assertThatThrownBy(() -> write(out, List.of(TestTensors.i64("mean", Shape.of(2), 1, 2))))
        .isExactlyInstanceOf(MismatchException.class)
        .hasMessageContainingAll("mean", "I64");
  }

  /** Read with the platform's own reader, which checks checksums. */
  @Test
  void theArchiveIsAZipOfTheSameEntries() throws IOException {
    Path out = temp.resolve("out.pt");
    write(out, List.of(four("weight", 5, 6, 7, 8)));
    try (ZipFile before = new ZipFile(module.toFile());
        ZipFile after = new ZipFile(out.toFile())) {
      assertThat(after.stream().map(ZipEntry::getName))
          .containsExactlyElementsOf(before.stream().map(ZipEntry::getName).toList());
      for (ZipEntry entry : after.stream().toList()) {
        assertThat(entry.getMethod()).isEqualTo(ZipEntry.STORED);
        byte[] content = after.getInputStream(entry).readAllBytes();
        byte[] original = before.getInputStream(before.getEntry(entry.getName())).readAllBytes();
        if (entry.getName().endsWith("data/0")) {
          assertThat(content).isEqualTo(four("", 5, 6, 7, 8).bytes());
        } else {
          assertThat(content).as(entry.getName()).isEqualTo(original);
        }
      }
    }
  }

  /** As PyTorch writes them, so that vector loads from mapped storages are aligned. */
  @Test
  void dataLieAtMultiplesOf64() {
    Path out = temp.resolve("out.pt");
    write(out, List.of());
    try (Arena arena = Arena.ofConfined()) {
      ZipArchive archive = ZipArchive.open(Storage.local().map(out, arena), out.toString());
      assertThat(archive.names())
          .allSatisfy(name -> assertThat(archive.offset(name) % 64).isZero());
    }
  }

  @Test
  void aStateDictIsNoModule() {
    module = TestCheckpoints.write(temp.resolve("x.pt"), TestTorch.of(List.of(weight)).zip());
    assertThatThrownBy(() -> TorchScript.open(module))
        .isExactlyInstanceOf(UnsupportedException.class)
        .hasMessageContainingAll("x.pt", "not a TorchScript file");
  }
}
