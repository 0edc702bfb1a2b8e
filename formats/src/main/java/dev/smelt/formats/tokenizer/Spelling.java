package dev.smelt.formats.tokenizer;

import tools.jackson.databind.JsonNode;

/**
 * How tokens are written. The same text is another string in another spelling: " the" is {@code
 * Ġthe} with bytes as letters and {@code ▁the} with marked blanks.
 *
 * @param bytesAsLetters bytes stand as printable letters, as GPT-2 has them
 * @param markedBlanks blanks stand as ▁, as SentencePiece has them
 * @param inside what pieces begin with that go on a word; empty: nothing
 * @param end what pieces end with that end a word; empty: nothing
 */
public record Spelling(boolean bytesAsLetters, boolean markedBlanks, String inside, String end) {

  private static final String BLANK = "\u2581";

  /** Of GPT-2's vocab.json. */
  static final Spelling BYTES = new Spelling(true, false, "", "");

  /** Of BERT's vocab.txt. */
  static final Spelling WORD_PIECES = new Spelling(false, false, "##", "");

  static Spelling of(JsonNode root) {
    boolean bytes = false;
    boolean blanks = false;
    for (String part : new String[] {"normalizer", "pre_tokenizer", "decoder"}) {
      bytes |= anyText(root.path(part), "ByteLevel");
      blanks |= anyText(root.path(part), "Metaspace") || anyText(root.path(part), BLANK);
    }
    JsonNode model = root.path("model");
    return new Spelling(
        bytes,
        blanks,
        model.path("continuing_subword_prefix").asString(""),
        model.path("end_of_word_suffix").asString(""));
  }

  private static boolean anyText(JsonNode node, String text) {
    if (node.isString()) {
      return node.asString().equals(text);
    }
    return node.valueStream().anyMatch(child -> anyText(child, text));
  }

  @Override
  public String toString() {
    String words = bytesAsLetters ? "bytes as letters" : "plain letters";
    words += markedBlanks ? ", blanks as " + BLANK : "";
    words += inside.isEmpty() ? "" : ", pieces inside a word after " + inside;
    return words + (end.isEmpty() ? "" : ", pieces that end one before " + end);
  }
}
