package dev.smelt.formats.safetensors;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.DType;
import dev.smelt.formats.LimitException;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorInfo;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Headers byte for byte as the reference writer makes them. */
class HeaderLayoutTest {

  private static final Map<String, String> PT = Map.of("format", "pt");

  @Test
  void withoutTensors() {
    assertThat(text(List.of(), Map.of())).isEqualTo("{}      ");
    assertThat(text(List.of(), PT)).isEqualTo("{\"__metadata__\":{\"format\":\"pt\"}}");
  }

  @Test
  void lengthFieldCountsThePadding() {
    assertThat(new HeaderLayout(List.of(), Map.of()).prefix())
        .containsExactly(8, 0, 0, 0, 0, 0, 0, 0, '{', '}', ' ', ' ', ' ', ' ', ' ', ' ');
  }

  @Test
  void widestTypesFirstThenByName() {
    List<TensorInfo> tensors =
        List.of(
            info("b", DType.BF16, 2, 3),
            info("a", DType.BF16, 1),
            info("z", DType.I64, 1),
            info("y", DType.F32),
            info("B", DType.BF16, 0),
            info("q", DType.U8, 3));
    String expected =
        "{\"__metadata__\":{\"format\":\"pt\"},"
            + "\"z\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[0,8]},"
            + "\"y\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[8,12]},"
            + "\"B\":{\"dtype\":\"BF16\",\"shape\":[0],\"data_offsets\":[12,12]},"
            + "\"a\":{\"dtype\":\"BF16\",\"shape\":[1],\"data_offsets\":[12,14]},"
            + "\"b\":{\"dtype\":\"BF16\",\"shape\":[2,3],\"data_offsets\":[14,26]},"
            + "\"q\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[26,29]}}";
    assertThat(text(tensors, PT)).isEqualTo(padded(expected));
  }

  /** The order of the reference's enum Dtype, from which its writer sorts downwards. */
  @Test
  void typesInTheOrderOfTheReference() {
    List<String> expected =
        List.of(
            "U64", "I64", "F64", "C64", "F32", "U32", "I32", "BF16", "F16", "U16", "I16", "F8_E8M0",
            "F8_E4M3", "F8_E5M2", "I8", "U8", "F6_E3M2", "F6_E2M3", "F4", "BOOL");
    List<TensorInfo> named = new ArrayList<>();
    for (String label : expected) {
      named.add(info("of." + label, DType.ofLabel(label).orElseThrow(), 8));
    }
    Collections.shuffle(named, new Random(7));
    assertThat(new HeaderLayout(named, Map.of()).header().entries())
        .extracting(entry -> entry.info().dtype().label())
        .isEqualTo(expected);
  }

  /** As serde_json writes strings: nothing escaped but quotes, backslashes and control codes. */
  @Test
  void escapesWhatTheReferenceEscapes() {
    String name = "a/b\"c\\d\n\t\r\b\f\u001f\u007fé\u2028\uD83D\uDE00<>&'";
    String written = text(List.of(info(name, DType.U8, 1)), Map.of());
    assertThat(written)
        .startsWith(
            "{\"a/b\\\"c\\\\d\\n\\t\\r\\b\\f\\u001f\u007fé\u2028\uD83D\uDE00<>&'\":{\"dtype\"");
  }

  @Test
  void sortsNamesByTheirBytes() {
    List<TensorInfo> tensors =
        List.of(
            info("\uD83D\uDE00", DType.U8, 1),
            info("\uFFFD", DType.U8, 1),
            info("h.10", DType.U8, 1),
            info("h.2", DType.U8, 1));
    assertThat(new HeaderLayout(tensors, Map.of()).header().entries())
        .extracting(entry -> entry.info().name())
        .containsExactly("h.10", "h.2", "\uFFFD", "\uD83D\uDE00");
  }

  @Test
  void refusesAHeaderThatNoReaderWouldTake() {
    Map<String, String> metadata = Map.of("k", "x".repeat(100_000_000));
    assertThatThrownBy(() -> new HeaderLayout(List.of(), metadata))
        .isInstanceOf(LimitException.class)
        .hasMessageContaining("at most 100000000 bytes");
  }

  /** The files of testdata follow the reference writer's rule and were not made by this code. */
  @ParameterizedTest
  @ValueSource(strings = {"gpt2-drama", "bert-base"})
  void realHeadersAreReproduced(String model) throws IOException {
    Path file = Path.of(System.getProperty("smelt.testdata", ""), model, "model.safetensors");
    byte[] bytes = Files.readAllBytes(file);
    try (Checkpoint checkpoint = Checkpoint.open(file)) {
      List<TensorInfo> shuffled = new ArrayList<>(checkpoint.infos());
      Collections.shuffle(shuffled, new Random(7));
      byte[] prefix = new HeaderLayout(shuffled, checkpoint.metadata()).prefix();
      assertThat(prefix).isEqualTo(Arrays.copyOf(bytes, prefix.length));
    }
  }

  private static TensorInfo info(String name, DType dtype, long... sizes) {
    return new TensorInfo(name, dtype, Shape.of(sizes));
  }

  private static String text(List<TensorInfo> tensors, Map<String, String> metadata) {
    byte[] prefix = new HeaderLayout(tensors, metadata).prefix();
    return new String(prefix, Long.BYTES, prefix.length - Long.BYTES, StandardCharsets.UTF_8);
  }

  private static String padded(String text) {
    return text + " ".repeat((8 - text.length() % 8) % 8);
  }
}
