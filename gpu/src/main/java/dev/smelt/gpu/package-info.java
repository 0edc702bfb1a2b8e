/**
 * Everything that runs on the device.
 *
 * <table>
 * <caption>Packages, each using only those above it</caption>
 * <tr><td>{@code torch}</td><td>internal: the engine, its devices, and the one door for weights</td></tr>
 * <tr><td>{@code engine}</td><td>the device and linear algebra in f64</td></tr>
 * <tr><td>{@code data}</td><td>tokenizers, data files, batches</td></tr>
 * <tr><td>{@code layer}</td><td>internal: the vocabulary of architectures, and the tape</td></tr>
 * <tr><td>{@code network}</td><td>architectures, run from a checkpoint</td></tr>
 * <tr><td>{@code eval}</td><td>loss and accuracy</td></tr>
 * <tr><td>{@code statistics}</td><td>Fisher information and its files</td></tr>
 * <tr><td>{@code training}</td><td>a few parameters of a network, tuned</td></tr>
 * </table>
 *
 * <p>DJL types appear in the signatures of the two internal packages alone. A new architecture is a
 * {@code Model} beside {@code Gpt2} and a line in {@code Architectures}; statistics then work on it
 * by themselves, since layers tell the tape how they use their parameters. A new statistic reads
 * the same tape: inputs of linear layers and gradients of their outputs are all there.
 */
@org.jspecify.annotations.NullMarked
package dev.smelt.gpu;
