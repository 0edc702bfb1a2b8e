package dev.smelt.gpu.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.CorruptException;
import dev.smelt.formats.Shape;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.UsageException;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MaskingTest {

  private static final int CLS = 2;
  private static final int SEP = 3;
  private static final int MASK = 4;

  /** [PAD] to [MASK] are 0 to 4, the letters a to z 5 to 30. */
  private static final int VOCABULARY = 31;

  private static final InputSpec INPUT =
      new InputSpec.Tokens(Task.MASKED_LANGUAGE_MODELING, 12, VOCABULARY, List.of());

  private static final String LETTERS = "a b c d e f g h i j k l m n o p q r s t u v w x y z ";

  @TempDir private Path folder;

  private Tokenizer tokenizer() throws IOException {
    Path model =
        TestCheckpoints.folder(
            folder.resolve("model"),
            "{\"model_type\": \"bert\", \"vocab_size\": 31}",
            List.of(TestTensors.f32("x", Shape.of(1), 1)));
    StringBuilder vocabulary = new StringBuilder("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n");
    vocabulary.append(LETTERS.replace(' ', '\n'));
    Files.writeString(model.resolve("vocab.txt"), vocabulary);
    try (Checkpoint checkpoint = Checkpoint.open(model)) {
      return Tokenizers.forCheckpoint(checkpoint);
    }
  }

  private Dataset read(String name, String content, DataOptions options) throws IOException {
    Path file = Files.writeString(folder.resolve(name), content);
    try (Tokenizer tokenizer = tokenizer()) {
      return Dataset.read(file, tokenizer, INPUT, options);
    }
  }

  private static Example.Masked masked(Dataset data, int i) {
    return (Example.Masked) data.examples().get(i);
  }

  /** What the text was, from the inputs and the targets. */
  private static int[] original(Example.Masked example) {
    return IntStream.range(0, example.length())
        .map(t -> example.targets()[t] == Batch.NO_TARGET ? example.ids()[t] : example.targets()[t])
        .toArray();
  }

  @Test
  void framesWindowsInSpecialTokensAndHidesSomeOfTheRest() throws IOException {
    Dataset data = read("a.txt", LETTERS, DataOptions.ALL.withSeqLen(10));
    assertThat(data.task()).isEqualTo(Task.MASKED_LANGUAGE_MODELING);
    assertThat(data.seqLen()).hasValue(10);
    assertThat(data.examples()).hasSize(3); // 26 letters in windows of 8
    for (int i = 0; i < 3; i++) {
      Example.Masked example = masked(data, i);
      int first = 5 + 8 * i;
      assertThat(original(example))
          .startsWith(CLS, first, first + 1, first + 2)
          .endsWith(first + 7, SEP);
      assertThat(example.ids()).startsWith(CLS).endsWith(SEP).hasSize(10);
      assertThat(example.targets()).contains(Batch.NO_TARGET);
      assertThat(IntStream.of(example.targets()).filter(t -> t >= 5).count()).isPositive();
      assertThat(example.segments()).containsOnly(0);
    }
    assertThat(read("b.txt", LETTERS, DataOptions.ALL).examples()).hasSize(2);
  }

  @Test
  void readsEachJsonTextAsAnExampleOfItsOwn() throws IOException {
    String lines =
        """
        {"text": "a"}
        {"text": "a b c d e f g h i j k l m"}
        """;
    Dataset data = read("a.jsonl", lines, DataOptions.ALL);
    assertThat(original(masked(data, 0))).containsExactly(CLS, 5, SEP);
    assertThat(masked(data, 0).targets()).containsExactly(-1, 5, -1);
    assertThat(original(masked(data, 1))).hasSize(12).startsWith(CLS, 5, 6).endsWith(14, SEP);
    assertThat(data.truncated()).isEqualTo(1);
  }

  /** Rates of 20,000 tokens; the standard error of each is below 0.004. */
  @Test
  void drawsTokensAtTheRateAskedForAndReplacesThemAsBertDoes() throws IOException {
    String text = LETTERS.repeat(770);
    for (double rate : new double[] {0.15, 0.4}) {
      DataOptions options =
          rate == 0.15 ? DataOptions.ALL : DataOptions.ALL.withMaskRate(rate).withMaskSeed(3);
      double tokens = 0;
      double drawn = 0;
      double hidden = 0;
      double kept = 0;
      double forced = 0;
      for (Example example : read("a.txt", text, options).examples()) {
        Example.Masked masked = (Example.Masked) example;
        tokens += masked.length() - 2;
        forced += Math.pow(1 - rate, masked.length() - 2);
        for (int t = 0; t < masked.length(); t++) {
          if (masked.targets()[t] != Batch.NO_TARGET) {
            drawn++;
            hidden += masked.ids()[t] == MASK ? 1 : 0;
            kept += masked.ids()[t] == masked.targets()[t] ? 1 : 0;
            assertThat(masked.ids()[t]).isBetween(MASK, VOCABULARY - 1);
          }
        }
      }
      assertThat((drawn - forced) / tokens).isCloseTo(rate, within(0.012));
      assertThat(hidden / drawn).isCloseTo(0.8, within(0.03));
      // A token put in at random is the old one again once in 26 times.
      assertThat(kept / drawn).isCloseTo(0.1 + 0.1 / 26, within(0.025));
    }
  }

  @Test
  void drawsByTheSeedAndThePlaceInTheFileOnly() throws IOException {
    String text = LETTERS.repeat(20);
    Dataset all = read("a.txt", text, DataOptions.ALL);
    Dataset some = read("a.txt", text, DataOptions.ALL.withSamples(20).withShuffle(1));
    for (Example example : some.examples()) {
      int[] ids = ((Example.Masked) example).ids();
      assertThat(all.examples()).anyMatch(other -> same(((Example.Masked) other).ids(), ids));
    }
    Dataset other = read("a.txt", text, DataOptions.ALL.withMaskSeed(1));
    assertThat(
            IntStream.range(0, all.examples().size())
                .filter(i -> same(masked(all, i).ids(), masked(other, i).ids()))
                .count())
        .isLessThan(all.examples().size() / 2);
    Dataset whole = read("a.txt", text, DataOptions.ALL.withMaskRate(1));
    for (Example example : whole.examples()) {
      int[] targets = ((Example.Masked) example).targets();
      assertThat(IntStream.of(targets).filter(t -> t == Batch.NO_TARGET).count()).isEqualTo(2);
    }
  }

  private static boolean same(int[] a, int[] b) {
    return java.util.Arrays.equals(a, b);
  }

  @Test
  void makesBatchesWhosePaddingIsNoTarget() throws IOException {
    String lines = "{\"text\": \"a b c\"}\n{\"text\": \"a\"}\n";
    TokenBatch batch = read("a.jsonl", lines, DataOptions.ALL).batch(0, 2).tokens();
    assertThat(batch.predictionsPerExample()).isEqualTo(5);
    assertThat(batch.counts(1, 1)).isTrue();
    assertThat(batch.counts(1, 3)).isFalse();
    assertThat(batch.tokenCount()).isEqualTo(8);
  }

  @Test
  void refusesWhatCannotBeHidden() throws IOException {
    Path file = Files.writeString(folder.resolve("b.txt"), LETTERS);
    InputSpec bytes = new InputSpec.Tokens(Task.MASKED_LANGUAGE_MODELING, 8, 256, List.of());
    assertThatThrownBy(() -> Dataset.read(file, new ByteTokenizer(), bytes, DataOptions.ALL))
        .isInstanceOf(UnsupportedException.class)
        .hasMessageContainingAll("no mask token", "[MASK]", "byte-level");
    assertThatThrownBy(() -> read("c.jsonl", "{\"text\": \"~ ~\"}", DataOptions.ALL))
        .isInstanceOf(CorruptException.class)
        .hasMessageContainingAll("c.jsonl:1", "without tokens");
    assertThatThrownBy(() -> read("d.txt", LETTERS, DataOptions.ALL.withSeqLen(2)))
        .isInstanceOf(UsageException.class)
        .hasMessageContainingAll("--seq-len 2", "at least 3");
    assertThatThrownBy(() -> read("e.tsv", "a\t1", DataOptions.ALL))
        .isInstanceOf(UsageException.class)
        .hasMessageContainingAll("masked language modelling", ".jsonl");
    assertThatThrownBy(() -> read("f.jsonl", "{\"text\": \"a\", \"label\": 1}", DataOptions.ALL))
        .isInstanceOf(UsageException.class)
        .hasMessageContainingAll("f.jsonl:1", "without labels");
    assertThatThrownBy(() -> DataOptions.ALL.withMaskRate(0))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("--mask-rate 0");
    assertThatThrownBy(() -> DataOptions.ALL.withMaskRate(1.5))
        .isInstanceOf(UsageException.class)
        .hasMessageContaining("--mask-rate 1.5");
  }
}
