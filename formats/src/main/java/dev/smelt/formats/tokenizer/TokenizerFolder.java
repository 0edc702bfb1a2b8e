package dev.smelt.formats.tokenizer;

import dev.smelt.formats.CorruptException;
import dev.smelt.formats.Json;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.storage.Storage;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import tools.jackson.databind.JsonNode;

/**
 * The vocabulary that lies beside a model: in tokenizer.json or, without one, in BERT's vocab.txt
 * (a token per line, ids are lines from 0) or GPT-2's vocab.json with added_tokens.json (token →
 * id).
 *
 * @param source the file that it is read from
 * @param json where that is a tokenizer.json
 * @param spelling where the file says or implies it
 */
public record TokenizerFolder(
    Path source, Vocabulary vocabulary, Optional<TokenizerFile> json, Optional<Spelling> spelling) {

  public static final String TOKENIZER_JSON = "tokenizer.json";
  public static final String TOKENIZER_CONFIG = "tokenizer_config.json";
  public static final String VOCAB_TXT = "vocab.txt";
  public static final String VOCAB_JSON = "vocab.json";
  public static final String MERGES_TXT = "merges.txt";
  public static final String ADDED_TOKENS = "added_tokens.json";

  /** In a tokenizer_config.json: id → settings of the token. */
  public static final String DECODER = "added_tokens_decoder";

  /** The largest published tokenizers take some 40 MB. */
  private static final long MAX_BYTES = 512L << 20;

  /**
   * @param files that lie beside the weights
   * @throws CorruptException when the file contradicts itself
   */
  public static Optional<TokenizerFolder> of(List<Path> files) {
    return source(files).map(source -> read(source, files));
  }

  /** The file that the vocabulary would be read from. */
  public static Optional<Path> source(List<Path> files) {
    return file(files, TOKENIZER_JSON)
        .or(() -> file(files, VOCAB_TXT))
        .or(() -> file(files, VOCAB_JSON));
  }

  /** The one of that name. */
  public static Optional<Path> file(List<Path> files, String name) {
    return files.stream()
        .filter(file -> String.valueOf(file.getFileName()).equals(name))
        .findFirst();
  }

  /** A file of a tokenizer, as a whole. */
  public static byte[] read(Path file) {
    return Storage.local().read(file, MAX_BYTES);
  }

  private static TokenizerFolder read(Path source, List<Path> files) {
    String where = source.toString();
    return switch (String.valueOf(source.getFileName())) {
      case TOKENIZER_JSON -> {
        TokenizerFile json = TokenizerFile.parse(read(source), where);
        yield new TokenizerFolder(
            source, json.vocabulary(), Optional.of(json), Optional.of(json.spelling()));
      }
      case VOCAB_TXT ->
          new TokenizerFolder(
              source,
              Vocabulary.of(lines(read(source), where), where),
              Optional.empty(),
              Optional.of(Spelling.WORD_PIECES));
      default -> {
        Map<String, Integer> ids = ids(source);
        file(files, ADDED_TOKENS).ifPresent(added -> addAll(ids, added));
        yield new TokenizerFolder(
            source,
            Vocabulary.of(ids, where),
            Optional.empty(),
            file(files, MERGES_TXT).map(_ -> Spelling.BYTES));
      }
    };
  }

  private static Map<String, Integer> lines(byte[] bytes, String where) {
    Map<String, Integer> ids = new LinkedHashMap<>();
    try {
      String text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
      if (text.isEmpty()) {
        return ids;
      }
      String body = text.endsWith("\n") ? text.substring(0, text.length() - 1) : text;
      // Not String.lines, to which other control characters end lines as well.
      for (String line : body.split("\n", -1)) {
        String token = line.endsWith("\r") ? line.substring(0, line.length() - 1) : line;
        Integer other = ids.putIfAbsent(token, ids.size());
        if (other != null) {
          throw new CorruptException(
              "token twice in a vocabulary",
              where + ":" + (ids.size() + 1),
              "'" + token + "' is also on line " + (other + 1),
              "");
        }
      }
    } catch (CharacterCodingException e) {
      throw new CorruptException("text is not UTF-8", where, "", "convert it to UTF-8");
    }
    return ids;
  }

  private static Map<String, Integer> ids(Path file) {
    return TokenModel.ofMap(Json.parse(read(file), file.toString()), file.toString());
  }

  private static void addAll(Map<String, Integer> ids, Path added) {
    ids(added)
        .forEach(
            (token, id) -> {
              Integer other = ids.put(token, id);
              if (other != null && !other.equals(id)) {
                throw disagreement(added, token, id, other);
              }
            });
  }

  /**
   * That {@value #DECODER} of tokenizer_config.json and added_tokens.json, from which transformers
   * adds tokens, say what the vocabulary says.
   *
   * @throws MismatchException at the first token that has another id there, or none here
   */
  public void requireAgreement(List<Path> files) {
    Optional<Path> config = file(files, TOKENIZER_CONFIG);
    if (config.isPresent()) {
      JsonNode root = Json.parse(read(config.get()), config.get().toString());
      root.path(DECODER)
          .properties()
          .forEach(
              entry -> {
                String token = entry.getValue().path("content").asString("");
                requireId(config.get(), token, entry.getKey());
              });
    }
    Optional<Path> added = file(files, ADDED_TOKENS);
    added.ifPresent(
        file -> ids(file).forEach((token, id) -> requireId(file, token, String.valueOf(id))));
  }

  private void requireId(Path file, String token, String id) {
    int found = vocabulary.id(token).orElse(-1);
    if (!String.valueOf(found).equals(id)) {
      throw new MismatchException(
          "files of a tokenizer disagree",
          file.toString(),
          "'"
              + token
              + "' has "
              + id
              + ", but "
              + (found < 0 ? "is not" : "has " + found)
              + " in "
              + source,
          "save the tokenizer again");
    }
  }

  private static MismatchException disagreement(Path file, String token, int id, int other) {
    return new MismatchException(
        "files of a tokenizer disagree",
        file.toString(),
        "'" + token + "' has " + id + ", but " + other + " in " + VOCAB_JSON,
        "save the tokenizer again");
  }
}
