package dev.smelt.gpu.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.formats.CorruptException;
import dev.smelt.formats.LimitException;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.UsageException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DatasetTest {

  private static final InputSpec LANGUAGE =
      new InputSpec.Tokens(Task.LANGUAGE_MODELING, 8, 256, List.of());
  private static final InputSpec CLASSES =
      new InputSpec.Tokens(Task.CLASSIFICATION, 8, 256, List.of("no", "yes"));

  @TempDir private Path folder;

  private Path file(String name, String content) {
    return file(name, content.getBytes(StandardCharsets.UTF_8));
  }

  private Path file(String name, byte[] content) {
    try {
      return Files.write(folder.resolve(name), content);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static Dataset read(Path file, InputSpec input, DataOptions options) {
    return Dataset.read(file, new ByteTokenizer(), input, options);
  }

  private static String inputs(Example example) {
    int[] tokens = ((Example.Sequence) example).ids();
    return new String(tokens, 0, tokens.length);
  }

  private static List<String> inputs(Dataset data) {
    return data.examples().stream().map(DatasetTest::inputs).toList();
  }

  private static String targets(Example example) {
    int[] tokens = ((Example.Window) example).targets();
    return new String(tokens, 0, tokens.length);
  }

  private static int label(Dataset data, int example) {
    return ((Example.Labelled) data.examples().get(example)).label();
  }

  @Test
  void cutsTextIntoWindowsWithTargetsShiftedByOne() {
    Dataset data = read(file("a.txt", "abcdefghijk"), LANGUAGE, DataOptions.ALL.withSeqLen(3));
    assertThat(inputs(data)).containsExactly("abc", "def", "ghi");
    assertThat(data.examples().stream().map(DatasetTest::targets))
        .containsExactly("bcd", "efg", "hij");
    assertThat(data.truncated()).isZero();
    assertThat(data.sha256())
        .isEqualTo("ca2f2069ea0c6e4658222e06f8dd639659cbb5e67cbbba6734bc334a3799bc68");
  }

  @Test
  void dropsAWindowWhoseLastTargetIsMissing() {
    assertThat(inputs(read(file("a.txt", "abcdef"), LANGUAGE, DataOptions.ALL.withSeqLen(3))))
        .containsExactly("abc");
    assertThat(inputs(read(file("b.txt", "abcdefg"), LANGUAGE, DataOptions.ALL.withSeqLen(3))))
        .containsExactly("abc", "def");
  }

  @Test
  void takesTheNetworksMaximumAsWindow() {
    Path file = file("a.txt", "0123456789abcdefg");
    assertThat(inputs(read(file, LANGUAGE, DataOptions.ALL)))
        .containsExactly("01234567", "89abcdef");
    refuses(
        () -> read(file, LANGUAGE, DataOptions.ALL.withSeqLen(9)),
        UsageException.class,
        "--seq-len 9",
        "8 positions");
  }

  @Test
  void takesTheFirstSamplesOrDrawsThemInFileOrder() {
    Path file = file("a.txt", "abcdefghijklmnopqrstuvwxyz");
    DataOptions one = DataOptions.ALL.withSeqLen(1);
    assertThat(inputs(read(file, LANGUAGE, one.withSamples(3)))).containsExactly("a", "b", "c");
    List<String> drawn = inputs(read(file, LANGUAGE, one.withSamples(5).withShuffle(1)));
    assertThat(drawn).hasSize(5).doesNotHaveDuplicates().isSorted();
    assertThat(drawn).isNotEqualTo(List.of("a", "b", "c", "d", "e"));
    assertThat(inputs(read(file, LANGUAGE, one.withSamples(5).withShuffle(1)))).isEqualTo(drawn);
    assertThat(inputs(read(file, LANGUAGE, one.withSamples(5).withShuffle(2)))).isNotEqualTo(drawn);
    refuses(
        () -> read(file, LANGUAGE, one.withSamples(26)),
        UsageException.class,
        "--samples 26",
        "the 25 examples",
        "a.txt");
  }

  @Test
  void readsTabbedLines() {
    Dataset data =
        read(file("a.tsv", "good\tyes\nbad\t0\r\ntab\tbed\tno"), CLASSES, DataOptions.ALL);
    assertThat(inputs(data)).containsExactly("good", "bad", "tab\tbed");
    assertThat(label(data, 0)).isEqualTo(1);
    assertThat(label(data, 1)).isZero();
    assertThat(label(data, 2)).isZero();
  }

  @Test
  void readsJsonLinesWithLabels() {
    Dataset data =
        read(
            file(
                "a.jsonl",
                """
                {"text": "one", "label": 1}
                {"text": "two", "pair": "2", "label": "no", "source": "elsewhere"}
                {"input_ids": [9, 8], "label": "yes"}
                """),
            CLASSES,
            DataOptions.ALL);
    assertThat(inputs(data)).containsExactly("one", "two2", "\t\b");
    assertThat(((Example.Labelled) data.examples().get(1)).segments()).containsExactly(0, 0, 0, 1);
    assertThat(label(data, 0)).isEqualTo(1);
    assertThat(label(data, 1)).isZero();
    assertThat(label(data, 2)).isEqualTo(1);
  }

  @Test
  void readsEachJsonTextAsAWindowOfItsOwn() {
    Dataset data =
        read(
            file("a.jsonl", "{\"text\": \"abc\"}\n{\"text\": \"0123456789\"}\n"),
            LANGUAGE,
            DataOptions.ALL);
    assertThat(inputs(data)).containsExactly("ab", "01234567");
    assertThat(targets(data.examples().get(1))).isEqualTo("12345678");
    assertThat(data.truncated()).isEqualTo(1);
  }

  @Test
  void countsWhatItCuts() {
    Dataset data =
        read(file("a.tsv", "0123456789\t0\nshort\t1\n"), CLASSES, DataOptions.ALL.withSeqLen(6));
    assertThat(inputs(data)).containsExactly("012345", "short");
    assertThat(data.truncated()).isEqualTo(1);
    assertThat(data.seqLen()).hasValue(6);
  }

  @Test
  void padsBatchesToTheirLongest() {
    Dataset data = read(file("a.tsv", "abc\t0\nd\t1\nef\t1\n"), CLASSES, DataOptions.ALL);
    List<TokenBatch> batches = data.batches(2).map(Batch::tokens).toList();
    assertThat(batches).hasSize(2);
    TokenBatch first = batches.getFirst();
    assertThat(first.ids()).containsExactly('a', 'b', 'c', 'd', 0, 0);
    assertThat(first.lengths()).containsExactly(3, 1);
    assertThat(first.targets()).containsExactly(0, 1);
    assertThat(first.tokenCount()).isEqualTo(4);
    assertThat(batches.get(1).first()).isEqualTo(2);
    assertThat(batches.get(1).length()).isEqualTo(2);
    refuses(() -> data.batches(0), UsageException.class, "--batch 0");
  }

  @Test
  void namesFileAndLineOfWhatItRefuses() {
    refusesClasses("a.tsv", "ok\t1\nno label\n", CorruptException.class, "a.tsv:2", "TAB");
    refusesClasses("b.tsv", "ok\t2\n", CorruptException.class, "b.tsv:1", "[no, yes]", "'2'");
    refusesClasses("c.tsv", "\t1\n", CorruptException.class, "c.tsv:1", "without tokens");
    refusesClasses("d.jsonl", "{\"text\": \"x\"}", CorruptException.class, "d.jsonl:1", "label");
    refusesClasses("e.jsonl", "{\"label\": 1}", CorruptException.class, "e.jsonl:1", "'text'");
    refusesClasses("f.jsonl", "{\"text\": ", CorruptException.class, "f.jsonl:1");
    refusesClasses("g.jsonl", "\n{}", CorruptException.class, "g.jsonl:1");
    refusesClasses(
        "h.jsonl", "{\"input_ids\": [1.5], \"label\": 1}", CorruptException.class, "1.5");
    refusesClasses(
        "i.jsonl", "{\"input_ids\": [256], \"label\": 1}", MismatchException.class, "256");
    refusesClasses(
        "j.jsonl",
        "{\"input_ids\": [1,2,3,4,5,6,7,8,9], \"label\": 1}",
        LimitException.class,
        "9 input_ids",
        "1 to 8");
    refuses(
        () -> read(file("k.jsonl", "{\"text\": \"x\"}"), LANGUAGE, DataOptions.ALL),
        CorruptException.class,
        "k.jsonl:1",
        "1 tokens");
  }

  private void refusesClasses(
      String name, String content, Class<? extends Throwable> type, String... parts) {
    refuses(() -> read(file(name, content), CLASSES, DataOptions.ALL), type, parts);
  }

  @Test
  void refusesDataOfTheWrongKind() {
    refuses(
        () -> read(file("a.txt", "abc"), CLASSES, DataOptions.ALL), UsageException.class, ".tsv");
    refuses(
        () -> read(file("a.tsv", "a\t0"), LANGUAGE, DataOptions.ALL), UsageException.class, ".txt");
    refuses(
        () -> read(file("a.jsonl", "{\"text\":\"ab\",\"label\":0}"), LANGUAGE, DataOptions.ALL),
        UsageException.class,
        "a.jsonl:1");
    refuses(
        () -> read(file("a.csv", "a"), LANGUAGE, DataOptions.ALL),
        UnsupportedException.class,
        "expected .txt, .jsonl, .tsv, .safetensors or a folder of images");
    refuses(
        () -> read(folder.resolve("none.txt"), LANGUAGE, DataOptions.ALL),
        NotFoundException.class,
        "none.txt");
    refuses(
        () -> read(file("short.txt", "abc"), LANGUAGE, DataOptions.ALL),
        UsageException.class,
        "3 tokens",
        "9 needed");
    refuses(
        () -> read(file("empty.tsv", ""), CLASSES, DataOptions.ALL),
        UsageException.class,
        "no examples",
        "empty.tsv");
  }

  @Test
  void letsTheDataDecideForScripts() {
    InputSpec open = new InputSpec.Open();
    Dataset text = read(file("a.txt", "abcdefg"), open, DataOptions.ALL.withSeqLen(3));
    assertThat(text.task()).isEqualTo(Task.LANGUAGE_MODELING);
    assertThat(inputs(text)).containsExactly("abc", "def");
    Dataset lines = read(file("a.tsv", "abcdefghijklm\t7\nx\t0\n"), open, DataOptions.ALL);
    assertThat(lines.task()).isEqualTo(Task.CLASSIFICATION);
    assertThat(label(lines, 0)).isEqualTo(7);
    assertThat(inputs(lines)).containsExactly("abcdefghijklm", "x");
    assertThat(lines.seqLen()).isEmpty();
    Dataset ids =
        read(file("a.jsonl", "{\"input_ids\": [70000], \"label\": 1}"), open, DataOptions.ALL);
    assertThat(((Example.Labelled) ids.examples().getFirst()).ids()).containsExactly(70_000);
    refuses(
        () -> read(file("b.txt", "abc"), open, DataOptions.ALL),
        UsageException.class,
        "b.txt",
        "add --seq-len");
    refuses(
        () -> read(file("b.tsv", "abc\tgood"), open, DataOptions.ALL),
        UsageException.class,
        "b.tsv:1",
        "'good'",
        "whole numbers");
    refuses(
        () -> read(file("c.tsv", "abc\t-1"), open, DataOptions.ALL), UsageException.class, "'-1'");
  }

  @Test
  void looksForTheTokenizerOnlyWhereThereIsText() {
    InputSpec open = new InputSpec.Open();
    Tokenizer none =
        new LazyTokenizer(
            () -> {
              throw new NotFoundException("no tokenizer", "", "", "");
            });
    Path ids = file("a.jsonl", "{\"input_ids\": [1], \"label\": 1}");
    assertThat(Dataset.read(ids, none, open, DataOptions.ALL).examples()).hasSize(1);
    Path text = file("a.tsv", "a\t1");
    refuses(
        () -> Dataset.read(text, none, open, DataOptions.ALL),
        NotFoundException.class,
        "no tokenizer");
    none.close();
  }

  @Test
  void refusesWhatIsNoData() {
    for (String ending : List.of("zip", "tar", "tar.gz", "tar.zst", "tar.xz", "TGZ")) {
      refuses(
          () -> read(file("images." + ending, "x"), CLASSES, DataOptions.ALL),
          UnsupportedException.class,
          "images." + ending,
          "unpack it");
    }
    InputSpec images = new InputSpec.Images(3, 8, 8, List.of("no", "yes"));
    refuses(
        () -> read(file("a.tsv", "a\t1"), images, DataOptions.ALL),
        UsageException.class,
        "a.tsv",
        "folder of images");
    refuses(
        () -> read(folder.resolve("nowhere"), images, DataOptions.ALL),
        NotFoundException.class,
        "nowhere");
  }

  @Test
  void refusesOptionsThatChangeNothing() {
    Path file = file("a.tsv", "a\t1");
    refuses(
        () -> read(file, CLASSES, DataOptions.ALL.withSize(new ImageSize(2, 2))),
        UsageException.class,
        "--size has no effect on",
        "a.tsv");
    Normalization normalization = Normalization.parse("0,0,0/1,1,1");
    refuses(
        () -> read(file, CLASSES, DataOptions.ALL.withNormalization(normalization)),
        UsageException.class,
        "--normalize");
    refuses(
        () -> read(file, CLASSES, DataOptions.ALL.withMaskRate(0.5)),
        UsageException.class,
        "--mask-rate");
    refuses(
        () -> read(file, CLASSES, DataOptions.ALL.withMaskSeed(1)),
        UsageException.class,
        "--mask-seed");
  }

  @Test
  void refusesTextThatIsNotUtf8() {
    byte[] latin = {'a', 'b', (byte) 0xe9, 'c'};
    refuses(
        () -> read(file("a.txt", latin), LANGUAGE, DataOptions.ALL),
        CorruptException.class,
        "a.txt@2",
        "UTF-8");
    refuses(
        () -> read(file("b.txt", new byte[] {'a', (byte) 0xc3}), LANGUAGE, DataOptions.ALL),
        CorruptException.class,
        "b.txt@1");
  }

  @Test
  void refusesTokensOutsideTheVocabulary() {
    InputSpec small = new InputSpec.Tokens(Task.LANGUAGE_MODELING, 2, 100, List.of());
    refuses(
        () -> read(file("a.txt", "abcdefg"), small, DataOptions.ALL),
        MismatchException.class,
        "found id 100",
        "byte-level");
  }

  @Test
  void refusesOptionsThatMeanNothing() {
    refuses(() -> DataOptions.ALL.withSeqLen(0), UsageException.class, "--seq-len 0");
    refuses(() -> DataOptions.ALL.withSamples(0), UsageException.class, "--samples 0");
    refuses(
        () -> DataOptions.ALL.withShuffle(1), UsageException.class, "--shuffle without --samples");
  }

  private static void refuses(
      ThrowingCallable call, Class<? extends Throwable> type, String... parts) {
    assertThatThrownBy(call).isInstanceOf(type).hasMessageContainingAll(parts);
  }
}
