package dev.smelt.formats.safetensors;

import static org.assertj.core.api.Assertions.assertThat;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.DType;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorInfo;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.testing.TestCheckpoints;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Files at the edge of the rules that must be read. */
class AcceptedTest {

  private static final byte[] NO_DATA = {};

  @TempDir Path temp;

  @Test
  void noTensors() {
    assertThat(infos("{}", NO_DATA)).isEmpty();
    assertThat(infos("{\"__metadata__\":{}}", NO_DATA)).isEmpty();
  }

  @Test
  void headerWithoutPadding() {
    byte[] file = Attack.prefixed(2, Attack.utf8("{}"));
    assertThat(infos(file)).isEmpty();
  }

  @Test
  void headerWithMuchPadding() {
    assertThat(infos("{}" + " ".repeat(10_000), NO_DATA)).isEmpty();
    assertThat(infos("{ }\n\t\r ", NO_DATA)).isEmpty();
  }

  @Test
  void headerThatLeavesDataUnaligned() {
    String text = "{\"w\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[0,8]}}";
    byte[] data = {0, 0, 0, 0, 0, 0, (byte) 0xF8, 0x3F};
    byte[] rest = new byte[text.length() + data.length];
    System.arraycopy(Attack.utf8(text), 0, rest, 0, text.length());
    System.arraycopy(data, 0, rest, text.length(), data.length);
    assertThat(text.length() % 8).isNotZero();
    try (Checkpoint checkpoint = open(Attack.prefixed(text.length(), rest))) {
      assertThat(checkpoint.tensor("w").toDoubles()).containsExactly(1.5);
    }
  }

  @Test
  void scalar() {
    byte[] data = {0, 0, (byte) 0xC0, 0x3F};
    try (Checkpoint checkpoint = open(raw("w", "F32", "[]", "[0,4]", data))) {
      TensorView scalar = checkpoint.tensor("w");
      assertThat(scalar.shape()).isEqualTo(Shape.of());
      assertThat(scalar.elements()).isEqualTo(1);
      assertThat(scalar.toFloats()).containsExactly(1.5f);
    }
  }

  @Test
  void tensorsWithoutElements() {
    String header =
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]},"
            + "\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},"
            + "\"c\":{\"dtype\":\"F4\",\"shape\":[3,0],\"data_offsets\":[2,2]},"
            + "\"d\":{\"dtype\":\"I64\",\"shape\":[0,9223372036854775807],\"data_offsets\":[2,2]}}";
    try (Checkpoint checkpoint = open(TestCheckpoints.raw(header, new byte[] {7, 9}))) {
      assertThat(checkpoint.infos())
          .extracting(TensorInfo::name)
          .containsExactlyInAnyOrder("a", "b", "c", "d");
      assertThat(checkpoint.tensor("a").toFloats()).isEmpty();
      assertThat(checkpoint.tensor("c").toDoubles()).isEmpty();
      assertThat(checkpoint.tensor("c").firstNonFinite()).isEmpty();
      assertThat(checkpoint.tensor("d").elements()).isZero();
      assertThat(checkpoint.tensor("b").segment().toArray(ValueLayout.JAVA_BYTE))
          .containsExactly(7, 9);
      assertThat(checkpoint.bytes()).isEqualTo(2);
      assertThat(checkpoint.parameters()).isEqualTo(2);
    }
  }

  @Test
  void keysInAnyOrderAndTensorsInOffsetOrder() {
    String header =
        "{\"z\":{\"data_offsets\":[1,2],\"shape\":[1],\"dtype\":\"U8\"},"
            + "\"__metadata__\":{\"k\":\"v\"},"
            + "\"a\":{\"shape\":[1],\"data_offsets\":[2,3],\"dtype\":\"I8\"},"
            + "\"m\":{\"shape\":[1],\"dtype\":\"BOOL\",\"data_offsets\":[0,1]}}";
    try (Checkpoint checkpoint = open(TestCheckpoints.raw(header, new byte[3]))) {
      assertThat(checkpoint.infos())
          .containsExactly(
              new TensorInfo("m", DType.BOOL, Shape.of(1)),
              new TensorInfo("z", DType.U8, Shape.of(1)),
              new TensorInfo("a", DType.I8, Shape.of(1)));
      assertThat(checkpoint.metadata()).isEqualTo(Map.of("k", "v"));
    }
  }

  @Test
  void namesOfAnyCharacters() {
    for (String name : List.of("", "a/b", "größe", "\\u0000", "\\ud83d\\ude00", "\uD83D\uDE00")) {
      try (Checkpoint checkpoint = open(raw(name, "U8", "[1]", "[0,1]", new byte[1]))) {
        assertThat(checkpoint.tensors()).hasSize(1);
      }
    }
  }

  private List<TensorInfo> infos(String header, byte[] data) {
    return infos(TestCheckpoints.raw(header, data));
  }

  private List<TensorInfo> infos(byte[] file) {
    try (Checkpoint checkpoint = open(file)) {
      return checkpoint.infos();
    }
  }

  private Checkpoint open(byte[] file) {
    return Checkpoint.open(TestCheckpoints.write(temp.resolve("w.safetensors"), file));
  }

  private static byte[] raw(String name, String dtype, String shape, String offsets, byte[] data) {
    String entry = Attack.entryOf(dtype, shape, offsets);
    return TestCheckpoints.raw("{\"" + name + "\":" + entry + "}", data);
  }
}
