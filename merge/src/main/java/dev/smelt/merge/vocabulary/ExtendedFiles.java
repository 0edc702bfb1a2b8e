package dev.smelt.merge.vocabulary;

import static dev.smelt.formats.tokenizer.TokenizerFolder.ADDED_TOKENS;
import static dev.smelt.formats.tokenizer.TokenizerFolder.DECODER;
import static dev.smelt.formats.tokenizer.TokenizerFolder.MERGES_TXT;
import static dev.smelt.formats.tokenizer.TokenizerFolder.TOKENIZER_CONFIG;
import static dev.smelt.formats.tokenizer.TokenizerFolder.TOKENIZER_JSON;
import static dev.smelt.formats.tokenizer.TokenizerFolder.VOCAB_JSON;
import static dev.smelt.formats.tokenizer.TokenizerFolder.VOCAB_TXT;

import dev.smelt.formats.CorruptException;
import dev.smelt.formats.Json;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.tokenizer.AddedToken;
import dev.smelt.formats.tokenizer.Extension;
import dev.smelt.formats.tokenizer.Extension.Piece;
import dev.smelt.formats.tokenizer.Merge;
import dev.smelt.formats.tokenizer.TokenizerFile;
import dev.smelt.formats.tokenizer.TokenizerFolder;
import dev.smelt.formats.tokenizer.Vocabulary;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Collectors;
import tools.jackson.databind.node.ObjectNode;

/** All files of a tokenizer that name tokens, with what a vocabulary has more. */
final class ExtendedFiles {

  private final TokenizerFolder donor;
  private final List<Path> files;
  private final Extension extension;
  private final SortedMap<String, String> texts = new TreeMap<>();

  private ExtendedFiles(OutputVocabulary output) {
    this.donor = output.donor();
    this.files = output.files();
    this.extension = output.extension();
  }

  /**
   * By name, those that change.
   *
   * @throws UnsupportedException when the form of the tokenizer has no room for the tokens
   */
  static SortedMap<String, String> texts(OutputVocabulary output) {
    ExtendedFiles files = new ExtendedFiles(output);
    if (!output.extension().isEmpty()) {
      files.write();
    }
    return files.texts;
  }

  private void write() {
    if (donor.json().isPresent()) {
      TokenizerFile before = donor.json().get();
      TokenizerFile after = extension.of(before);
      texts.put(TOKENIZER_JSON, after.toJson());
      file(VOCAB_JSON).ifPresent(_ -> texts.put(VOCAB_JSON, Json.write(after.pieces().ids())));
      file(VOCAB_TXT).ifPresent(path -> texts.put(VOCAB_TXT, lines(after.pieces(), path)));
    } else {
      file(VOCAB_TXT)
          .filter(donor.source()::equals)
          .filter(_ -> extension.added().isEmpty())
          .ifPresentOrElse(
              path -> texts.put(VOCAB_TXT, withLines(path)),
              () -> {
                throw new UnsupportedException(
                    "tokenizer that cannot be extended",
                    donor.source().toString(),
                    "expected tokenizer.json",
                    "save the tokenizer as tokenizer.json");
              });
    }
    file(MERGES_TXT).ifPresent(path -> texts.put(MERGES_TXT, withMerges(path)));
    file(TOKENIZER_CONFIG).ifPresent(this::addToConfig);
    file(ADDED_TOKENS).ifPresent(this::addToMap);
  }

  private Optional<Path> file(String name) {
    return TokenizerFolder.file(files, name);
  }

  /** A line for each id. */
  private static String lines(Vocabulary pieces, Path path) {
    if (pieces.end() != pieces.size()) {
      throw new UnsupportedException(
          "vocabulary with gaps cannot be written as lines",
          path.toString(),
          pieces.size() + " tokens have ids up to " + (pieces.end() - 1),
          "delete the file, since tokenizer.json is there");
    }
    return pieces.ids().keySet().stream().map(token -> token + "\n").collect(Collectors.joining());
  }

  private String withLines(Path path) {
    StringBuilder text = ended(TokenizerOutput.text(path));
    for (Piece piece : extension.pieces()) {
      text.append(piece.token()).append('\n');
    }
    return text.toString();
  }

  private String withMerges(Path path) {
    StringBuilder text = ended(TokenizerOutput.text(path));
    for (Merge merge : extension.merges()) {
      if (!merge.isLine()) {
        throw new UnsupportedException(
            "merge of tokens with blanks cannot be written as a line",
            path.toString(),
            "found '" + merge.left() + "' and '" + merge.right() + "'",
            "delete the file, since tokenizer.json is there");
      }
      text.append(merge.left()).append(' ').append(merge.right()).append('\n');
    }
    return text.toString();
  }

  private static StringBuilder ended(String text) {
    StringBuilder ended = new StringBuilder(text);
    if (!text.isEmpty() && !text.endsWith("\n")) {
      ended.append('\n');
    }
    return ended;
  }

  /** Where the config lists added tokens; otherwise they are known from tokenizer.json. */
  private void addToConfig(Path path) {
    ObjectNode root = object(path);
    if (!(root.get(DECODER) instanceof ObjectNode decoder) || extension.added().isEmpty()) {
      return;
    }
    for (AddedToken token : extension.added()) {
      decoder.set(String.valueOf(token.id()), Json.tree(token.settings()));
    }
    texts.put(TOKENIZER_CONFIG, Json.write(root));
  }

  private void addToMap(Path path) {
    ObjectNode root = object(path);
    Map<String, Integer> more = new LinkedHashMap<>();
    extension.added().forEach(token -> more.put(token.content(), token.id()));
    more.forEach(root::put);
    if (!more.isEmpty()) {
      texts.put(ADDED_TOKENS, Json.write(root));
    }
  }

  private static ObjectNode object(Path path) {
    if (Json.parse(TokenizerFolder.read(path), path.toString()) instanceof ObjectNode root) {
      return root;
    }
    throw new CorruptException("not a JSON object", path.toString(), "", "");
  }
}
