package dev.smelt.compress.structure;

import static org.assertj.core.api.Assertions.assertThat;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.model.Anatomy;
import dev.smelt.formats.model.Anatomy.InBlock;
import dev.smelt.formats.model.Axis;
import dev.smelt.formats.model.Coupling;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What hangs together, in every family. */
class CouplingTest {

  @TempDir private Path folder;

  static List<String> families() {
    return Families.names();
  }

  @ParameterizedTest
  @MethodSource("families")
  void everyOutputAndInputBelongsToOneUnit(String name) {
    Families family = Families.of(name);
    try (Checkpoint checkpoint = Checkpoint.open(family.model().write(folder.resolve("model")))) {
      Anatomy anatomy = Anatomy.of(checkpoint);
      List<Coupling> all =
          new ArrayList<>(anatomy.neurons(checkpoint, checkpoint.config().orElseThrow()));
      if (!name.equals("gpt_neox")) {
        all.addAll(anatomy.heads(checkpoint, checkpoint.config().orElseThrow()));
      }
      assertThat(all).hasSize(name.equals("gpt_neox") ? 4 : 8);
      for (Coupling coupling : all) {
        for (Coupling.Member member : coupling.members()) {
          requirePartition(coupling, member);
        }
        assertThat(coupling.consumer().axis()).isEqualTo(Axis.INPUT);
        for (int unit = 0; unit < coupling.units(); unit++) {
          int[] inputs = coupling.consumer().indices(unit);
          int first = inputs[0];
          // Scores of optimal brain surgeon take this for granted.
          assertThat(inputs)
              .containsExactly(IntStream.range(first, first + inputs.length).toArray());
        }
      }
    }
  }

  private static void requirePartition(Coupling coupling, Coupling.Member member) {
    int[] all = IntStream.range(0, coupling.units()).toArray();
    assertThat(member.indices(all)).containsExactly(IntStream.range(0, member.size()).toArray());
    assertThat(member.indicesWithout()).hasSize(member.size());
    int[] owners = member.unitOfEach(coupling.units());
    for (int unit : all) {
      for (int index : member.indices(unit)) {
        assertThat(owners[index]).isEqualTo(unit);
      }
      assertThat(member.indicesWithout(unit))
          .doesNotContain(member.indices(unit))
          .hasSize(member.size() - member.size() / coupling.units());
    }
  }

  @Test
  void tensorsAreFoundInTheirBlocks() {
    try (Checkpoint checkpoint =
        Checkpoint.open(Families.of("gpt2").model().write(folder.resolve("model")))) {
      Anatomy anatomy = Anatomy.of(checkpoint);
      assertThat(anatomy.find("transformer.h.11.attn.bias"))
          .hasValue(new InBlock("transformer.h.", 11, "attn.bias"));
      assertThat(anatomy.find("h.3.ln_1.weight").orElseThrow().nameIn(2))
          .isEqualTo("h.2.ln_1.weight");
      for (String outside :
          List.of(
              "transformer.wte.weight",
              "transformer.h.weight",
              "h.x.y",
              "h.01.y",
              "lm_head.h.1.y")) {
        assertThat(anatomy.find(outside)).isEmpty();
      }
    }
  }
}
