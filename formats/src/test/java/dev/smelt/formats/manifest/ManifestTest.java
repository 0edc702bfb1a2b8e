package dev.smelt.formats.manifest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CorruptException;
import dev.smelt.formats.DType;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.manifest.Manifest.Input;
import dev.smelt.formats.manifest.Manifest.Measured;
import dev.smelt.formats.manifest.Manifest.Totals;
import dev.smelt.formats.manifest.Manifest.WrittenFile;
import dev.smelt.formats.testing.Sha256;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.formats.testing.TestTensors;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ManifestTest {

  @TempDir Path temp;

  @Test
  void comesBack() {
    Map<String, Object> parameters = new LinkedHashMap<>();
    parameters.put("z", "first");
    parameters.put("a", List.of(1, 2));
    Manifest manifest =
        new Manifest(
            "0.1.0",
            "factorize",
            parameters,
            List.of(new Input("model", "größe/x", 1L << 40, "00")),
            new Totals(4, 3, 2, 1),
            List.of(new Manifest.ModelRecord("m", 4, 3)),
            List.of(
                TensorRecord.kept("w", null, 8, 8),
                TensorRecord.dropped("d", "why", 8),
                new TensorRecord(
                    "f", TensorRecord.FACTORIZED, null, 3, 1e-9, 0.1, "svd", null, 2e-3, 16, 8)),
            List.of(
                new ClusterRecord(
                    "smelt.basis.0",
                    "input",
                    List.of("m/a", "m/b"),
                    List.of("n/a"),
                    2,
                    0.1,
                    0.2,
                    0,
                    0.2,
                    new ClusterRecord.Energy(3, 2, 1),
                    64,
                    24)),
            List.of(
                new LeftOutRecord("h.0.mlp.c_proj", "neurons", 8, List.of(0, 3, 7)),
                new LeftOutRecord("h.1.mlp.c_proj", "neurons", 8, List.of(1))),
            List.of(new Measured("dense", "m", "d.txt", 8, 1.5, Math.exp(1.5), 0.25)),
            List.of("note"),
            List.of());
    Manifest written = manifest.withFiles(List.of(new WrittenFile("m", 3, "ff")));
    Path file = TestCheckpoints.write(temp.resolve("smelt.json"), written.toJson());
    Manifest read = Manifest.read(file);
    assertThat(read).isEqualTo(written);
    assertThat(read.parameters().keySet()).containsExactly("z", "a");
    assertThat(read.toJson()).isEqualTo(written.toJson());
    assertThat(written.toJson()).doesNotContain("null").endsWith("}\n");
  }

  @Test
  void whatIsNotThereIsNotWritten() {
    Manifest manifest =
        Manifest.of(
            "0.1.0", "merge", Map.of(), List.of(), new Totals(4, 3, 2, 1), List.of(), List.of());
    assertThat(manifest.withLeftOut(List.of())).isEqualTo(manifest);
    assertThat(manifest.toJson()).doesNotContain("leftOut", "clusters", "measured", "models");
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "null", "[]", "{}", "{\"smelt\": 1", "{\"smelt\": \"1\"}", "7"})
  void whatIsNoManifestIsRefused(String text) {
    Path file = TestCheckpoints.write(temp.resolve("smelt.json"), text);
    assertThatThrownBy(() -> Manifest.read(file))
        .isInstanceOf(CorruptException.class)
        .hasMessageContaining(file.toString())
        .message()
        .doesNotContain("null]", "\n");
  }

  @Test
  void aMissingManifestIsRefused() {
    assertThatThrownBy(() -> Manifest.read(temp.resolve("smelt.json")))
        .isInstanceOf(NotFoundException.class);
  }

  @Test
  void hashesOfFiles() {
    Path empty = TestCheckpoints.write(temp.resolve("empty"), "");
    Path abc = TestCheckpoints.write(temp.resolve("abc"), "abc");
    // FIPS 180-4 examples.
    assertThat(Hashing.sha256(empty))
        .isEqualTo("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assertThat(Hashing.sha256(abc))
        .isEqualTo("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  }

  @Test
  void contentHashIsOverSortedLines() {
    List<TestTensor> tensors =
        List.of(
            TestTensors.random("b", DType.BF16, 1, 2, 3), TestTensors.random("a", DType.I64, 2));
    String expected =
        Sha256.of(
            "a\tI64\t[]\t"
                + Sha256.of(tensors.get(1).bytes())
                + "\nb\tBF16\t[2,3]\t"
                + Sha256.of(tensors.get(0).bytes())
                + "\n");
    assertThat(hash(TestCheckpoints.file(temp.resolve("x.safetensors"), tensors)))
        .isEqualTo(expected);
  }

  @Test
  void contentHashIsTheSameHoweverSharded() {
    List<TestTensor> tensors = TestTensors.everyType(4, 2, 4);
    String single = hash(TestCheckpoints.folder(temp.resolve("single"), "{}", tensors));
    for (int split : new int[] {1, 9, 19}) {
      List<List<TestTensor>> shards =
          List.of(tensors.subList(split, tensors.size()), tensors.subList(0, split));
      assertThat(hash(TestCheckpoints.sharded(temp.resolve("of" + split), "{\"a\": 1}", shards)))
          .isEqualTo(single);
    }
    assertThat(hash(TestCheckpoints.folder(temp.resolve("less"), "{}", tensors.subList(1, 20))))
        .isNotEqualTo(single);
  }

  private static String hash(Path path) {
    try (Checkpoint checkpoint = Checkpoint.open(path)) {
      return ContentHash.of(checkpoint, 2);
    }
  }
}
