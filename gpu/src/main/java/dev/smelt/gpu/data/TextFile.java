package dev.smelt.gpu.data;

import dev.smelt.formats.CorruptException;
import dev.smelt.formats.Json;
import dev.smelt.formats.UsageException;
import dev.smelt.formats.manifest.Hashing;
import dev.smelt.formats.storage.Storage;
import dev.smelt.gpu.data.DataOptions.Special;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import tools.jackson.databind.JsonNode;

/** Reads the examples of one file of text. Lines are tokenised only where an example is used. */
final class TextFile {

  static final Set<String> ENDINGS = Set.of("txt", "jsonl", "tsv");

  /** Text is held as a whole, with its tokens; statistics need far less. */
  private static final long MAX_BYTES = 256L << 20;

  private final Path file;
  private final Tokenizer tokenizer;
  private final Task task;
  private final DataOptions options;
  private final int seqLen;
  private final TokenIds ids;
  private final ClassIndex classes;
  private final Optional<Masking> masking;
  private long truncated;

  private TextFile(Path file, Tokenizer tokenizer, InputSpec.Tokens input, DataOptions options) {
    this.file = file;
    this.tokenizer = tokenizer;
    this.task = input.task();
    this.options = options;
    this.seqLen = seqLen(input, options);
    this.ids = new TokenIds(input.vocabularySize(), seqLen);
    this.classes = new ClassIndex(input.labels());
    this.masking =
        task == Task.MASKED_LANGUAGE_MODELING
            ? Optional.of(Masking.of(options, tokenizer, input.vocabularySize(), file.toString()))
            : Optional.empty();
  }

  /**
   * @param ending one of {@link #ENDINGS}
   */
  static Dataset read(
      Path file, String ending, Tokenizer tokenizer, InputSpec input, DataOptions options) {
    InputSpec.Tokens tokens = tokens(file, ending, input, options);
    options.requireEffect(file.toString(), effective(tokens.task()));
    TextFile text = new TextFile(file, tokenizer, tokens, options);
    List<Example> examples =
        switch (ending) {
          case "txt" -> text.windows();
          case "jsonl" -> text.jsonLines();
          default -> text.tabbedLines();
        };
    return new Dataset(
        file,
        Hashing.sha256(file),
        tokens.task(),
        examples,
        input instanceof InputSpec.Open ? options.seqLen() : OptionalInt.of(text.seqLen),
        text.truncated);
  }

  private static Set<Special> effective(Task task) {
    return task == Task.MASKED_LANGUAGE_MODELING
        ? EnumSet.of(Special.SEQ_LEN, Special.MASK_RATE, Special.MASK_SEED)
        : EnumSet.of(Special.SEQ_LEN);
  }

  /** What the network takes; where it does not say, what these data are. */
  private static InputSpec.Tokens tokens(
      Path file, String ending, InputSpec input, DataOptions options) {
    return switch (input) {
      case InputSpec.Tokens tokens -> tokens;
      case InputSpec.Images _ ->
          throw new UsageException(
              "text for a network of images [" + file + "]",
              "give a folder of images, or .safetensors with inputs and labels");
      case InputSpec.Open open -> {
        boolean labelled = !ending.equals("txt");
        if (!labelled && options.seqLen().isEmpty()) {
          throw new UsageException(
              "a script does not say how long its sequences are [" + file + "]", "add --seq-len");
        }
        yield open.tokens(labelled ? Task.CLASSIFICATION : Task.LANGUAGE_MODELING);
      }
    };
  }

  /** T, the network's maximum unless a smaller one is wanted. */
  static int seqLen(InputSpec.Tokens input, DataOptions options) {
    int seqLen = options.seqLen().orElse(input.maxPositions());
    if (seqLen > input.maxPositions()) {
      throw new UsageException(
          "--seq-len " + seqLen + " is beyond the network's " + input.maxPositions() + " positions",
          "use at most " + input.maxPositions());
    }
    return seqLen;
  }

  private List<Example> windows() {
    if (!task.predictsTokens()) {
      throw wrongTask(".txt has no labels");
    }
    int[] tokens = tokenizer.encode(text());
    ids.requireKnown(tokens, tokenizer, file.toString());
    Windows windows =
        masking.isPresent()
            ? Windows.masked(seqLen, tokenizer, masking.get(), file.toString())
            : Windows.shifted(seqLen);
    List<Example> examples = new ArrayList<>();
    for (int i : Selection.of(windows.count(tokens), options, file.toString())) {
      examples.add(windows.window(i, tokens, file.toString()));
    }
    if (examples.isEmpty()) {
      throw new UsageException(
          "no full window in "
              + file
              + ": "
              + tokens.length
              + " tokens, "
              + windows.needed()
              + " needed",
          "use a smaller --seq-len or a longer file");
    }
    return examples;
  }

  private List<Example> tabbedLines() {
    if (task != Task.CLASSIFICATION) {
      throw wrongTask(".tsv holds labelled texts");
    }
    List<String> lines = Lines.of(text());
    List<Example> examples = new ArrayList<>();
    for (int i : Selection.of(lines.size(), options, file.toString())) {
      String where = where(i);
      int tab = lines.get(i).lastIndexOf('\t');
      if (tab < 0) {
        throw new CorruptException("line without a label", where, "expected text TAB label", "");
      }
      int label = classes.of(lines.get(i).substring(tab + 1), where);
      examples.add(labelled(lines.get(i).substring(0, tab), Optional.empty(), label, where));
    }
    return examples;
  }

  private List<Example> jsonLines() {
    List<String> lines = Lines.of(text());
    List<Example> examples = new ArrayList<>();
    for (int i : Selection.of(lines.size(), options, file.toString())) {
      String where = where(i);
      JsonNode node = Json.parse(lines.get(i).getBytes(StandardCharsets.UTF_8), where);
      if (task.predictsTokens() && !node.path("label").isMissingNode()) {
        throw new UsageException(
            "labelled text for a network that predicts tokens [" + where + "]",
            "give texts without labels");
      }
      examples.add(
          switch (task) {
            case LANGUAGE_MODELING -> continuation(node, where);
            case MASKED_LANGUAGE_MODELING -> masked(i, node, where);
            case CLASSIFICATION -> labelled(node, where);
          });
    }
    return examples;
  }

  /** A text of its own: all tokens but the last as inputs, all but the first as targets. */
  private Example continuation(JsonNode node, String where) {
    int[] tokens = tokenizer.encode(string(node, "text", where));
    ids.requireKnown(tokens, tokenizer, where);
    Example.Window window = Windows.continuation(tokens, seqLen, where);
    truncated += window.length() < tokens.length - 1 ? 1 : 0;
    return window;
  }

  private Example masked(int line, JsonNode node, String where) {
    Tokenizer.Sequence text = sequence(string(node, "text", where), Optional.empty(), where);
    return masking.orElseThrow().hide(line, text.tokens(), text.segments(), where);
  }

  private Example labelled(JsonNode node, String where) {
    JsonNode label = node.path("label");
    if (!label.isString() && !label.isIntegralNumber()) {
      throw new CorruptException(
          "line without a label", where, "expected a name or an integer under 'label'", "");
    }
    int index = classes.of(label.asString(), where);
    if (node.path("input_ids").isArray()) {
      return ids.labelled(numbers(node.path("input_ids"), where), index, where);
    }
    Optional<String> pair =
        node.path("pair").isMissingNode()
            ? Optional.empty()
            : Optional.of(string(node, "pair", where));
    return labelled(string(node, "text", where), pair, index, where);
  }

  private Example labelled(String text, Optional<String> pair, int label, String where) {
    Tokenizer.Sequence sequence = sequence(text, pair, where);
    return new Example.Labelled(sequence.tokens(), sequence.segments(), label);
  }

  private Tokenizer.Sequence sequence(String text, Optional<String> pair, String where) {
    Tokenizer.Sequence sequence = tokenizer.encode(text, pair, seqLen);
    ids.requireKnown(sequence.tokens(), tokenizer, where);
    if (sequence.tokens().length == 0) {
      throw new CorruptException("text without tokens", where, "", "");
    }
    truncated += sequence.truncated() ? 1 : 0;
    return sequence;
  }

  private static int[] numbers(JsonNode ids, String where) {
    int[] tokens = new int[ids.size()];
    for (int i = 0; i < tokens.length; i++) {
      if (!ids.path(i).canConvertToInt()) {
        throw new CorruptException(
            "token id is not a whole number", where, "found " + ids.path(i) + " at " + i, "");
      }
      tokens[i] = ids.path(i).intValue();
    }
    return tokens;
  }

  private static String string(JsonNode node, String key, String where) {
    JsonNode value = node.path(key);
    if (!value.isString()) {
      throw new CorruptException(
          "line without a text", where, "expected a string under '" + key + "'", "");
    }
    return value.asString();
  }

  private UsageException wrongTask(String reason) {
    return new UsageException(
        reason + ", but the network does " + task + " [" + file + "]",
        task.predictsTokens()
            ? "give .txt, or .jsonl with {\"text\"}"
            : "give .tsv, or .jsonl with {\"text\", \"label\"}");
  }

  private String text() {
    return Lines.decode(Storage.local().read(file, MAX_BYTES), file.toString());
  }

  private String where(int line) {
    return file + ":" + (line + 1);
  }
}
