package dev.smelt.formats.model;

import dev.smelt.formats.TensorView;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * Units of a block that can be left out one by one: hidden units of its perceptron, or heads of its
 * attention. What is left out of one tensor must be left out of all of them.
 *
 * @param block number of the block
 * @param units how many there are
 * @param producers layers whose outputs are the units'
 * @param consumer the layer whose inputs they are
 */
public record Coupling(int block, int units, List<Member> producers, Member consumer) {

  /**
   * A linear layer whose outputs or inputs belong to units.
   *
   * @param module name in the checkpoint, without {@code .weight}
   * @param transposed whether the matrix is stored [in, out]
   * @param bias of its outputs
   * @param axis of the matrix [out, in] that is divided among units
   * @param size outputs, or inputs
   * @param runs of each unit; those of all units have every output once, or every input
   */
  public record Member(
      String module,
      TensorView weight,
      boolean transposed,
      Optional<TensorView> bias,
      Axis axis,
      int size,
      List<Run> runs) {

    public Member {
      runs = List.copyOf(runs);
    }

    /** The axis of the stored weight that is divided. */
    public int storedAxis() {
      return (axis == Axis.OUTPUT) == transposed ? 1 : 0;
    }

    /** The tensors that become smaller: the weight, and the bias where outputs are divided. */
    public List<TensorView> divided() {
      return Stream.concat(Stream.of(weight), axis == Axis.OUTPUT ? bias.stream() : Stream.empty())
          .toList();
    }

    /** Outputs or inputs of these units, ascending. */
    public int[] indices(int... units) {
      return Arrays.stream(units)
          .flatMap(unit -> runs.stream().flatMapToInt(run -> run.of(unit)))
          .sorted()
          .toArray();
    }

    /** Outputs or inputs of all other units, ascending. */
    public int[] indicesWithout(int... units) {
      BitSet gone = new BitSet(size);
      Arrays.stream(indices(units)).forEach(gone::set);
      return IntStream.range(0, size).filter(index -> !gone.get(index)).toArray();
    }

    /** The unit that an output or input belongs to, for each of them. */
    public int[] unitOfEach(int units) {
      int[] owners = new int[size];
      for (int unit = 0; unit < units; unit++) {
        int owner = unit;
        Arrays.stream(indices(unit)).forEach(index -> owners[index] = owner);
      }
      return owners;
    }
  }

  /**
   * A run of outputs or inputs for each unit: those of unit u are first + u·stride … first +
   * u·stride + count − 1.
   */
  public record Run(int first, int count, int stride) {

    /** Runs of the units that follow each other. */
    static Run each(int first, int count) {
      return new Run(first, count, count);
    }

    IntStream of(int unit) {
      int from = first + unit * stride;
      return IntStream.range(from, from + count);
    }
  }

  public Coupling {
    producers = List.copyOf(producers);
  }

  /** All layers, in the order of the forward pass. */
  public List<Member> members() {
    return Stream.concat(producers.stream(), Stream.of(consumer)).toList();
  }
}
