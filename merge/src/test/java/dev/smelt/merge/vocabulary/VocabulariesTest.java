package dev.smelt.merge.vocabulary;

import static dev.smelt.merge.vocabulary.TestModels.EMBEDDING;
import static dev.smelt.merge.vocabulary.TestModels.HEAD;
import static dev.smelt.merge.vocabulary.TestModels.column;
import static dev.smelt.merge.vocabulary.TestModels.llama;
import static dev.smelt.merge.vocabulary.TestModels.words;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.DType;
import dev.smelt.formats.LimitException;
import dev.smelt.formats.MismatchException;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.Shape;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.UsageException;
import dev.smelt.formats.testing.TestCheckpoints;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.formats.testing.TestTensors;
import dev.smelt.merge.vocabulary.TokenRow.Source;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Which rows models have once they have one vocabulary. */
class VocabulariesTest {

  private static final String[] ABC = {"a", "b", "c"};
  private static final String[] CAD = {"c", "a", "d"};

  @TempDir private Path folder;

  private static double[] rows(Vocabularies vocabularies, int model) {
    return rows(vocabularies, model, EMBEDDING);
  }

  private static double[] rows(Vocabularies vocabularies, int model, String name) {
    TensorView view = vocabularies.models().get(model).tensor(name);
    assertThat(view.shape().size(0)).isEqualTo(vocabularies.rows());
    return view.toDoubles();
  }

  @Test
  void theBasesVocabularyOrdersTheRowsOfOthers() {
    try (TestModels models = new TestModels(folder)) {
      models.model(ABC, 1, 2, 3).model(CAD, 30, 10, 40);
      Vocabularies base = models.plan("base");
      assertThat(rows(base, 0)).containsExactly(1, 2, 3);
      assertThat(rows(base, 1)).containsExactly(10, 2, 30);
      assertThat(base.models().getFirst().tensor(EMBEDDING))
          .isSameAs(models.models().getFirst().tensor(EMBEDDING));
      assertThat(base.texts()).isEmpty();
      assertThat(base.notes())
          .anyMatch(
              note -> note.contains("tokens of " + models.folder(1) + " left out: 1, from 'd'"))
          .anyMatch(note -> note.contains("filled in for " + models.folder(1) + ": 1, from 'b'"));
    }
  }

  @Test
  void aUnionKeepsTheFirstIdsAndAddsTheRest() {
    try (TestModels models = new TestModels(folder)) {
      models.model(ABC, 1, 2, 3).model(CAD, 30, 10, 40);
      models.model(new String[] {"e", "d", "a"}, 500, 400, 100);
      Vocabularies union = models.plan("union");
      // Rows: a b c d e. Only the second and the third have d: the first gets their mean.
      assertThat(rows(union, 0)).containsExactly(1, 2, 3, 220, 500);
      assertThat(rows(union, 1)).containsExactly(10, 2, 30, 40, 500);
      // Two others have c.
      assertThat(rows(union, 2)).containsExactly(100, 2, 16.5, 400, 500);
      assertThat(union.models().getFirst().config().orElseThrow().size("vocab_size")).isEqualTo(5);
    }
  }

  @Test
  void whereThereIsABaseItsRowsStandForMissingOnes() {
    try (TestModels models = new TestModels(folder)) {
      models.model(ABC, 1, 2, 3).model(CAD, 30, 10, 40);
      models.model(new String[] {"e", "d", "a"}, 500, 400, 100);
      TokenizerRequest union = TokenizerRequest.parse("union");
      Vocabularies onFirst = models.plan(union, OptionalInt.of(0));
      assertThat(rows(onFirst, 2)).containsExactly(100, 2, 3, 400, 500);
      assertThat(rows(onFirst, 0)).containsExactly(1, 2, 3, 220, 500);
      // The base's ids go first: c a d, then b, then e.
      Vocabularies onSecond = models.plan(union, OptionalInt.of(1));
      assertThat(rows(onSecond, 1)).containsExactly(30, 10, 40, 2, 500);
      assertThat(rows(onSecond, 0)).containsExactly(3, 1, 40, 2, 500);
      assertThat(rows(onSecond, 2)).containsExactly(30, 100, 400, 2, 500);
    }
  }

  @Test
  void theVocabularyOfAnotherModel() {
    try (TestModels models = new TestModels(folder)) {
      models.model(ABC, 1, 2, 3).model(CAD, 30, 10, 40);
      Vocabularies second = models.plan(models.folder(1) + "/");
      assertThat(rows(second, 0)).containsExactly(3, 1, 40);
      assertThat(rows(second, 1)).containsExactly(30, 10, 40);
      assertThat(second.models().getFirst().sideFiles())
          .containsExactly(models.folder(1).resolve("tokenizer.json"));
    }
  }

  @Test
  void theVocabularyOfAFolderWithoutAModel() {
    Path other = folder.resolve("other");
    TestCheckpoints.write(other.resolve("tokenizer.json"), words("b", "new", "d"));
    try (TestModels models = new TestModels(folder)) {
      models.model(ABC, 1, 2, 3).model(CAD, 30, 10, 40);
      Vocabularies foreign = models.plan(other.toString());
      assertThat(rows(foreign, 0)).containsExactly(2, 0, 40);
      assertThat(rows(foreign, 1)).containsExactly(2, 0, 40);
      assertThat(foreign.notes())
          .anyMatch(note -> note.endsWith("with rows of zeros: 1, from 'new' on"));
      Path empty = folder.resolve("nowhere");
      assertThatThrownBy(() -> models.plan(empty.toString()))
          .isInstanceOf(NotFoundException.class)
          .hasMessageContaining(empty.toString());
    }
  }

  @Test
  void rowsBeyondTheVocabularyStayWhereNoTokenTakesThem() {
    try (TestModels models = new TestModels(folder)) {
      models.model(ABC, 1, 2, 3, -1, -2).model(CAD, 30, 10, 40, -3);
      Vocabularies base = models.plan("base");
      assertThat(rows(base, 0)).containsExactly(1, 2, 3, -1, -2);
      assertThat(rows(base, 1)).containsExactly(10, 2, 30, -3, -2);
      assertThat(base.notes()).noneMatch(note -> note.contains("without a token"));
      Vocabularies union = models.plan("union");
      assertThat(rows(union, 0)).containsExactly(1, 2, 3, 40, -2);
      assertThat(rows(union, 1)).containsExactly(10, 2, 30, 40, -2);
      assertThat(union.notes())
          .contains("rows without a token of " + models.folder(0) + " left out: 1")
          .contains("rows without a token of " + models.folder(1) + " left out: 1");
    }
  }

  @Test
  void modelsWithOneVocabularyStayAsTheyAre() {
    try (TestModels models = new TestModels(folder)) {
      models.model(ABC, 1, 2, 3, -1).model(ABC, 4, 5, 6, -2);
      for (String source : new String[] {"base", "union", models.folder(1).toString()}) {
        Vocabularies same = models.plan(source);
        for (int model = 0; model < 2; model++) {
          assertThat(same.models().get(model).tensor(EMBEDDING))
              .isSameAs(models.models().get(model).tensor(EMBEDDING));
        }
        assertThat(same.texts()).isEmpty();
      }
    }
  }

  @Test
  void aMultipleOfRows() {
    try (TestModels models = new TestModels(folder)) {
      models.model(ABC, 1, 2, 3, -1, -2, -3).model(CAD, 30, 10, 40);
      TokenizerRequest four =
          new TokenizerRequest(
              new TokenizerRequest.Source.Base(), new LinkedHashMap<>(), OptionalInt.of(4));
      Vocabularies padded = models.plan(four, OptionalInt.empty());
      assertThat(rows(padded, 0)).containsExactly(1, 2, 3, -1);
      assertThat(rows(padded, 1)).containsExactly(10, 2, 30, -1);
      assertThat(padded.notes())
          .anyMatch(note -> note.contains("of " + models.folder(0) + " left out: 2"));
      TokenizerRequest eight =
          new TokenizerRequest(
              new TokenizerRequest.Source.Union(), new LinkedHashMap<>(), OptionalInt.of(8));
      Vocabularies more = models.plan(eight, OptionalInt.empty());
      assertThat(rows(more, 1)).containsExactly(10, 2, 30, 40, -2, -3, 0, 0);
    }
    assertThatThrownBy(
            () ->
                new TokenizerRequest(
                    new TokenizerRequest.Source.Base(), new LinkedHashMap<>(), OptionalInt.of(0)))
        .isInstanceOf(UsageException.class);
  }

  @Test
  void headsAndBiasesFollowAndOtherTensorsDoNot() {
    String bert = "{\"model_type\": \"bert\", \"vocab_size\": 3}";
    String table = "bert.embeddings.word_embeddings.weight";
    String positions = "bert.embeddings.position_embeddings.weight";
    String bias = "cls.predictions.bias";
    try (TestModels models = new TestModels(folder)) {
      models
          .file("tokenizer.json", words(ABC))
          .model(
              bert,
              column(table, 1, 2, 3),
              column(positions, 7, 8, 9),
              TestTensors.f32(bias, Shape.of(3), 4, 5, 6));
      models
          .file("tokenizer.json", words(CAD))
          .model(
              bert,
              column(table, 30, 10, 40),
              column(positions, 70, 80, 90),
              TestTensors.f32(bias, Shape.of(3), 60, 40, 80));
      Vocabularies base = models.plan("base");
      assertThat(rows(base, 1, table)).containsExactly(10, 2, 30);
      assertThat(rows(base, 1, bias)).containsExactly(40, 5, 60);
      assertThat(base.models().get(1).tensor(positions).toDoubles()).containsExactly(70, 80, 90);
    }
  }

  /** Half of the checkpoints on the Hub store a tied head and half do not. */
  @Test
  void rowsOfATiedHeadThatIsNotStoredAreTheEmbeddings() {
    String tied = "{\"model_type\": \"llama\", \"vocab_size\": 3, \"tie_word_embeddings\": true}";
    try (TestModels models = new TestModels(folder)) {
      models
          .file("tokenizer.json", words(ABC))
          .model(tied, column(EMBEDDING, 1, 2, 3), column(HEAD, 1, 2, 3));
      models.file("tokenizer.json", words(CAD)).model(tied, column(EMBEDDING, 30, 10, 40));
      Vocabularies union = models.plan("union");
      assertThat(rows(union, 0, HEAD)).containsExactly(1, 2, 3, 40);
      assertThat(union.models().get(1).find(HEAD)).isEmpty();
    }
  }

  @Test
  void anUntiedHeadThatIsNotStoredCannotGiveRows() {
    try (TestModels models = new TestModels(folder)) {
      models
          .file("tokenizer.json", words(ABC))
          .model(llama(3), column(EMBEDDING, 1, 2, 3), column(HEAD, 1, 2, 3));
      models.file("tokenizer.json", words(CAD)).model(llama(3), column(EMBEDDING, 30, 10, 40));
      assertThatThrownBy(() -> models.plan("union"))
          .isInstanceOf(NotFoundException.class)
          .hasMessageContaining("expected 'lm_head.weight'")
          .hasMessageContaining(models.folder(1).toString());
    }
  }

  @Test
  void aPrefixMakesNoDifference() {
    try (TestModels models = new TestModels(folder)) {
      models
          .file("tokenizer.json", words(ABC))
          .model(llama(3), column("embed_tokens.weight", 1, 2, 3));
      models.model(CAD, 30, 10, 40);
      assertThat(rows(models.plan("union"), 0, "embed_tokens.weight")).containsExactly(1, 2, 3, 40);
    }
  }

  @Test
  void rowsOfAnotherTypeAreRoundedOnce() {
    float third = 1 / 3f;
    try (TestModels models = new TestModels(folder)) {
      models
          .file("tokenizer.json", words(ABC))
          .model(llama(3), TestTensors.bf16(EMBEDDING, Shape.of(3, 1), 1, 2, 3));
      models.model(CAD, 30, third, third);
      models
          .file("tokenizer.json", words("d"))
          .model(llama(1), TestTensors.f64(EMBEDDING, Shape.of(1, 1), 0.1));
      Vocabularies union = models.plan("union");
      TensorView first = union.models().get(0).tensor(EMBEDDING);
      assertThat(first.dtype()).isEqualTo(DType.BF16);
      // (1/3 as f32 + 0.1)/2 = 0.21666667…; neighbours in bf16: 0.216796875, 0.2158203125.
      assertThat(first.toDoubles()).containsExactly(1, 2, 3, 0.216796875);
      TensorView last = union.models().get(2).tensor(EMBEDDING);
      assertThat(last.toDoubles()).containsExactly((1 + (double) third) / 2, 2, 16.5, 0.1);
    }
  }

  @Test
  void aRowThatAnotherTypeCannotHoldIsRefused() {
    try (TestModels models = new TestModels(folder)) {
      models
          .file("tokenizer.json", words("a"))
          .model(llama(1), TestTensors.f16(EMBEDDING, Shape.of(1, 1), 1));
      models.model(new String[] {"a", "d"}, 1, 131072);
      TensorView view = models.plan("union").models().getFirst().tensor(EMBEDDING);
      assertThatThrownBy(view::toDoubles)
          .isInstanceOf(LimitException.class)
          .hasMessageContaining("found 131072.0 at index 1, beyond F16");
    }
  }

  @Test
  void meansOfHugeValuesAreFinite() {
    double huge = Double.MAX_VALUE;
    try (TestModels models = new TestModels(folder)) {
      for (int i = 0; i < 2; i++) {
        models
            .file("tokenizer.json", words("a", "b"))
            .model(llama(2), TestTensors.f64(EMBEDDING, Shape.of(2, 1), 1, huge));
      }
      models
          .file("tokenizer.json", words("a"))
          .model(llama(1), TestTensors.f64(EMBEDDING, Shape.of(1, 1), 1));
      assertThat(rows(models.plan("union"), 2)).containsExactly(1, huge);
    }
  }

  @Test
  void wideRowsMoveAsAWhole() {
    try (TestModels models = new TestModels(folder)) {
      models
          .file("tokenizer.json", words(ABC))
          .model(llama(3), TestTensors.random(EMBEDDING, DType.BF16, 1, 3, 5));
      models
          .file("tokenizer.json", words(CAD))
          .model(llama(3), TestTensors.random(EMBEDDING, DType.BF16, 2, 3, 5));
      double[] one = models.models().get(0).tensor(EMBEDDING).toDoubles();
      double[] other = models.models().get(1).tensor(EMBEDDING).toDoubles();
      double[] found = rows(models.plan("union"), 1);
      for (int k = 0; k < 5; k++) {
        assertThat(found[k]).isEqualTo(other[5 + k]);
        assertThat(found[5 + k]).isEqualTo(one[5 + k]);
        assertThat(found[10 + k]).isEqualTo(other[k]);
        assertThat(found[15 + k]).isEqualTo(other[10 + k]);
      }
    }
  }

  private static TokenizerRequest with(Map<String, TokenRow> tokens) {
    return new TokenizerRequest(
        new TokenizerRequest.Source.Base(), new LinkedHashMap<>(tokens), OptionalInt.empty());
  }

  @Test
  void rowsChosenByHand() {
    LinkedHashMap<String, TokenRow> tokens = new LinkedHashMap<>();
    tokens.put("a", new TokenRow(Optional.of(new Source.OfModel(1)), true));
    tokens.put("b", new TokenRow(Optional.of(new Source.OfToken(1, "d")), false));
    tokens.put("c", new TokenRow(Optional.of(new Source.Zero()), true));
    tokens.put("new", new TokenRow(Optional.of(new Source.OfId(0, 2)), false));
    tokens.put("zero", new TokenRow(Optional.of(new Source.Zero()), false));
    try (TestModels models = new TestModels(folder)) {
      models.model(ABC, 1, 2, 3).model(CAD, 30, 10, 40);
      Vocabularies byHand = models.plan(with(tokens), OptionalInt.empty());
      assertThat(rows(byHand, 0)).containsExactly(10, 2, 0, 3, 0);
      assertThat(rows(byHand, 1)).containsExactly(10, 40, 0, 3, 0);
    }
  }

  @Test
  void rowsChosenByHandMustBeThere() {
    try (TestModels models = new TestModels(folder)) {
      models.model(ABC, 1, 2, 3).model(CAD, 30, 10, 40);
      for (Source source :
          new Source[] {new Source.OfModel(1), new Source.OfToken(1, "b"), new Source.OfId(1, 3)}) {
        TokenizerRequest request = with(Map.of("b", new TokenRow(Optional.of(source), true)));
        assertThatThrownBy(() -> models.plan(request, OptionalInt.empty()))
            .hasMessageContaining(models.folder(1).toString())
            .hasMessageContaining("'b'");
      }
    }
  }

  @Test
  void informationOnOtherModelsRowsIsZero() {
    try (TestModels models = new TestModels(folder)) {
      models.model(ABC, 1, 2, 3).model(CAD, 30, 10, 40);
      Checkpoint second = models.plan("union").models().get(1);
      TestTensor diagonal = column("diag", 0.5f, 0.25f, 0.125f);
      TensorView fisher = new TensorView(diagonal.info(), MemorySegment.ofArray(diagonal.bytes()));
      assertThat(((VocabularyModel) second).information(EMBEDDING, fisher).toDoubles())
          .containsExactly(0.25, 0, 0.5, 0.125);
    }
  }

  @Test
  void aTokenWithoutARowIsRefused() {
    try (TestModels models = new TestModels(folder)) {
      models.model(ABC, 1, 2).model(CAD, 30, 10, 40);
      assertThatThrownBy(() -> models.plan("base"))
          .isInstanceOf(MismatchException.class)
          .hasMessageContaining("'c' has id 2")
          .hasMessageContaining("has 2 rows");
    }
  }

  @Test
  void aModelWithoutATokenizerOrEmbeddingIsRefused() {
    try (TestModels models = new TestModels(folder)) {
      models.model(ABC, 1, 2, 3).model(llama(3), column(EMBEDDING, 1, 2, 3));
      assertThatThrownBy(() -> models.plan("base"))
          .isInstanceOf(NotFoundException.class)
          .hasMessageContaining("no tokenizer to match tokens by")
          .hasMessageContaining(models.folder(1).toString());
    }
    try (TestModels models = new TestModels(folder.resolve("second"))) {
      models.file("tokenizer.json", words(ABC)).model(llama(3), column("model.norm.weight", 1));
      assertThatThrownBy(() -> models.plan("base"))
          .isInstanceOf(NotFoundException.class)
          .hasMessageContaining("no embedding of tokens");
    }
  }

  @Test
  void rowsOfOtherLengthsAreRefused() {
    try (TestModels models = new TestModels(folder)) {
      models.model(ABC, 1, 2, 3);
      models
          .file("tokenizer.json", words(CAD))
          .model(llama(3), TestTensors.random(EMBEDDING, DType.F32, 1, 3, 2));
      assertThatThrownBy(() -> models.plan("union"))
          .isInstanceOf(MismatchException.class)
          .hasMessageContaining("expected rows as of [3,1], found [3,2]");
    }
  }

  @Test
  void anEmbeddingAndAHeadOfUnlikeRowsAreRefused() {
    try (TestModels models = new TestModels(folder)) {
      models
          .file("tokenizer.json", words(ABC))
          .model(llama(3), column(EMBEDDING, 1, 2, 3), column(HEAD, 1, 2, 3, 4));
      assertThatThrownBy(() -> models.plan("base"))
          .isInstanceOf(MismatchException.class)
          .hasMessageContaining(HEAD)
          .hasMessageContaining("expected 3");
    }
  }
}
