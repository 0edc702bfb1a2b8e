package dev.smelt.gpu.data;

import ai.djl.huggingface.tokenizers.Encoding;
import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import dev.smelt.formats.CorruptException;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;

/** A tokenizer described by a tokenizer.json, run by Hugging Face's own library. */
final class LibraryTokenizer implements Tokenizer {

  private final String description;
  private final byte[] json;
  private final String where;
  private final HuggingFaceTokenizer whole;
  private final Map<Integer, HuggingFaceTokenizer> cutting = new HashMap<>();

  /** Read when first asked for: large vocabularies take a while. */
  private @Nullable SpecialTokens special;

  /**
   * @param json content of a tokenizer.json
   * @param where its file, for refusals
   */
  LibraryTokenizer(String description, byte[] json, String where) {
    this.description = description;
    this.json = json.clone();
    this.where = where;
    // Left alone, the library cuts every text at 512 tokens.
    this.whole = open(Map.of("truncation", "false", "padding", "false"));
  }

  private HuggingFaceTokenizer open(Map<String, String> options) {
    // Read by DJL before its first request, which would leave this machine.
    System.setProperty("OPT_OUT_TRACKING", "true");
    try {
      return HuggingFaceTokenizer.newInstance(new ByteArrayInputStream(json), options);
    } catch (IOException | RuntimeException e) {
      throw new CorruptException(
          "tokenizer cannot be read", where, String.valueOf(e.getMessage()), "");
    }
  }

  @Override
  public String description() {
    return description;
  }

  @Override
  public int[] encode(String text) {
    return ints(whole.encode(text, false, false).getIds());
  }

  @Override
  public Sequence encode(String text, Optional<String> pair, int maxLength) {
    Encoding encoding = encode(whole, text, pair);
    boolean tooLong = encoding.getIds().length > maxLength;
    if (tooLong) {
      encoding = encode(cutting.computeIfAbsent(maxLength, this::openCutting), text, pair);
    }
    return new Sequence(ints(encoding.getIds()), ints(encoding.getTypeIds()), tooLong);
  }

  private HuggingFaceTokenizer openCutting(int maxLength) {
    String max = String.valueOf(maxLength);
    return open(
        Map.of(
            "truncation",
            "longest_first",
            "maxLength",
            max,
            "modelMaxLength",
            max,
            "padding",
            "false"));
  }

  private static Encoding encode(
      HuggingFaceTokenizer tokenizer, String text, Optional<String> pair) {
    return pair.isPresent()
        ? tokenizer.encode(text, pair.get(), true, false)
        : tokenizer.encode(text, true, false);
  }

  @Override
  public OptionalInt maskToken() {
    return special().mask();
  }

  @Override
  public boolean isSpecial(int token) {
    return special().ids().contains(token);
  }

  private SpecialTokens special() {
    SpecialTokens known = special;
    if (known == null) {
      known = SpecialTokens.of(json, where);
      special = known;
    }
    return known;
  }

  private static int[] ints(long[] values) {
    return LongStream.of(values).mapToInt(Math::toIntExact).toArray();
  }

  @Override
  public void close() {
    whole.close();
    cutting.values().forEach(HuggingFaceTokenizer::close);
  }
}
