package dev.smelt.formats.torch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.testing.TestCheckpoints;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every rule of the readers, by a file that breaks just this one. */
class AttackTest {

  /** A message is for a person, whatever the file holds. */
  private static final int MAX_MESSAGE = 2_500;

  @TempDir Path temp;

  static Stream<Attack> attacks() {
    return Stream.of(PickleAttacks.all(), TensorAttacks.all(), ContainerAttacks.all())
        .flatMap(attacks -> attacks);
  }

  @ParameterizedTest
  @MethodSource("attacks")
  void isRefused(Attack attack) {
    Path file = TestCheckpoints.write(temp.resolve(attack.fault() + ".pt"), attack.file());
    assertThatThrownBy(() -> Checkpoint.open(file))
        .isExactlyInstanceOf(attack.refusal())
        .hasMessageContainingAll(attack.says().toArray(String[]::new))
        .hasMessageContaining(file.toString())
        .message()
        .doesNotContain("\n", "\u001b")
        .hasSizeLessThan(MAX_MESSAGE);
  }

  @Test
  void faultsHaveNamesOfTheirOwn() {
    assertThat(attacks().map(Attack::fault)).doesNotHaveDuplicates();
  }
}
