package dev.smelt.gpu.data;

import dev.smelt.formats.CorruptException;
import dev.smelt.formats.Json;
import dev.smelt.formats.LimitException;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.UsageException;
import dev.smelt.formats.storage.Storage;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import tools.jackson.databind.JsonNode;

/** Reads the examples of one file. Text is tokenised only where an example is used. */
final class ExampleReader {

  /** Text is held as a whole, with its tokens; statistics need far less. */
  private static final long MAX_BYTES = 256L << 20;

  private final Path file;
  private final Tokenizer tokenizer;
  private final InputSpec.Tokens input;
  private final int seqLen;
  private long truncated;

  ExampleReader(Path file, Tokenizer tokenizer, InputSpec.Tokens input, int seqLen) {
    this.file = file;
    this.tokenizer = tokenizer;
    this.input = input;
    this.seqLen = seqLen;
  }

  /** Examples that were cut to the longest sequence so far. */
  long truncated() {
    return truncated;
  }

  List<Example> windows(DataOptions options) {
    requireTask(Task.LANGUAGE_MODELING, ".txt has no labels");
    int[] tokens = tokenizer.encode(text());
    requireInVocabulary(tokens, file.toString());
    int available = Math.max(0, tokens.length - 1) / seqLen;
    List<Example> windows = new ArrayList<>();
    for (int i : Selection.of(available, options, file.toString())) {
      int from = i * seqLen;
      windows.add(
          new Example.Window(
              Arrays.copyOfRange(tokens, from, from + seqLen),
              Arrays.copyOfRange(tokens, from + 1, from + seqLen + 1)));
    }
    if (windows.isEmpty()) {
      throw new UsageException(
          "no full window in "
              + file
              + ": "
              + tokens.length
              + " tokens, "
              + (seqLen + 1)
              + " needed",
          "use a smaller --seq-len or a longer file");
    }
    return windows;
  }

  List<Example> tabbedLines(DataOptions options) {
    requireTask(Task.CLASSIFICATION, ".tsv holds labelled texts");
    List<String> lines = Lines.of(text());
    List<Example> examples = new ArrayList<>();
    for (int i : Selection.of(lines.size(), options, file.toString())) {
      String where = where(i);
      int tab = lines.get(i).lastIndexOf('\t');
      if (tab < 0) {
        throw new CorruptException("line without a label", where, "expected text TAB label", "");
      }
      int label = label(lines.get(i).substring(tab + 1), where);
      examples.add(labelled(lines.get(i).substring(0, tab), Optional.empty(), label, where));
    }
    return examples;
  }

  List<Example> jsonLines(DataOptions options) {
    List<String> lines = Lines.of(text());
    List<Example> examples = new ArrayList<>();
    for (int i : Selection.of(lines.size(), options, file.toString())) {
      String where = where(i);
      JsonNode node = Json.parse(lines.get(i).getBytes(StandardCharsets.UTF_8), where);
      examples.add(
          switch (input.task()) {
            case LANGUAGE_MODELING -> continuation(node, where);
            case CLASSIFICATION -> labelled(node, where);
            case MASKED_LANGUAGE_MODELING ->
                throw new UnsupportedException("unknown kind of data", where, "", "");
          });
    }
    return examples;
  }

  /** A text of its own: all tokens but the last as inputs, all but the first as targets. */
  private Example continuation(JsonNode node, String where) {
    if (!node.path("label").isMissingNode()) {
      throw new UsageException(
          "labelled text for a language model [" + where + "]", "give texts without labels");
    }
    int[] tokens = tokenizer.encode(string(node, "text", where));
    requireInVocabulary(tokens, where);
    if (tokens.length < 2) {
      throw new CorruptException(
          "text too short", where, "has " + tokens.length + " tokens, at least 2 needed", "");
    }
    int length = Math.min(seqLen, tokens.length - 1);
    truncated += length < tokens.length - 1 ? 1 : 0;
    return new Example.Window(
        Arrays.copyOf(tokens, length), Arrays.copyOfRange(tokens, 1, length + 1));
  }

  private Example labelled(JsonNode node, String where) {
    JsonNode label = node.path("label");
    if (!label.isString() && !label.isIntegralNumber()) {
      throw new CorruptException(
          "line without a label", where, "expected a name or an integer under 'label'", "");
    }
    int index = label(label.asString(), where);
    if (node.path("input_ids").isArray()) {
      return ready(node.path("input_ids"), index, where);
    }
    Optional<String> pair =
        node.path("pair").isMissingNode()
            ? Optional.empty()
            : Optional.of(string(node, "pair", where));
    return labelled(string(node, "text", where), pair, index, where);
  }

  private Example labelled(String text, Optional<String> pair, int label, String where) {
    Tokenizer.Sequence sequence = tokenizer.encode(text, pair, seqLen);
    requireInVocabulary(sequence.tokens(), where);
    if (sequence.tokens().length == 0) {
      throw new CorruptException("text without tokens", where, "", "");
    }
    truncated += sequence.truncated() ? 1 : 0;
    return new Example.Labelled(sequence.tokens(), sequence.segments(), label);
  }

  /** Token ids are taken as they are; where to cut them is not known here. */
  private Example ready(JsonNode ids, int label, String where) {
    int[] tokens = new int[ids.size()];
    for (int i = 0; i < tokens.length; i++) {
      if (!ids.path(i).canConvertToInt()) {
        throw new CorruptException(
            "token id is not a whole number", where, "found " + ids.path(i) + " at " + i, "");
      }
      tokens[i] = ids.path(i).intValue();
    }
    if (tokens.length == 0 || tokens.length > seqLen) {
      throw new LimitException(
          "sequence of the wrong length",
          where,
          "has " + tokens.length + " input_ids, expected 1 to " + seqLen,
          "");
    }
    requireInVocabulary(tokens, where);
    return new Example.Labelled(tokens, new int[tokens.length], label);
  }

  private int label(String text, String where) {
    int index = input.labels().indexOf(text);
    for (int i = 0; i < input.labels().size(); i++) {
      if (text.equals(String.valueOf(i))) {
        index = i;
      }
    }
    if (index < 0) {
      throw new CorruptException(
          "unknown label",
          where,
          "expected 0 to "
              + (input.labels().size() - 1)
              + " or one of "
              + input.labels()
              + ", found '"
              + text
              + "'",
          "");
    }
    return index;
  }

  private static String string(JsonNode node, String key, String where) {
    JsonNode value = node.path(key);
    if (!value.isString()) {
      throw new CorruptException(
          "line without a text", where, "expected a string under '" + key + "'", "");
    }
    return value.asString();
  }

  private void requireTask(Task needed, String reason) {
    if (input.task() != needed) {
      throw new UsageException(
          reason + ", but the network does " + input.task() + " [" + file + "]",
          input.task() == Task.LANGUAGE_MODELING
              ? "give .txt, or .jsonl with {\"text\"}"
              : "give .tsv, or .jsonl with {\"text\", \"label\"}");
    }
  }

  private void requireInVocabulary(int[] tokens, String where) {
    for (int token : tokens) {
      if (token < 0 || token >= input.vocabularySize()) {
        throw new MismatchException(
            "token outside the vocabulary",
            where,
            "found id " + token + ", the network has " + input.vocabularySize(),
            "is the tokenizer (" + tokenizer.description() + ") that of another model?");
      }
    }
  }

  private String text() {
    return Lines.decode(Storage.local().read(file, MAX_BYTES), file.toString());
  }

  private String where(int line) {
    return file + ":" + (line + 1);
  }
}
