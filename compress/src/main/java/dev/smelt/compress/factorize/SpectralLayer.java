package dev.smelt.compress.factorize;

import dev.smelt.compress.layer.Layer;
import dev.smelt.compress.lowrank.Spectrum;
import dev.smelt.formats.DType;

/**
 * What a rank policy sees of a layer.
 *
 * @param lossPerEnergy times ‖T‖² and the share of its tail: what is lost, in a unit that all
 *     layers share
 * @param stored type in which it will be written, dense or as factors
 */
public record SpectralLayer(Layer layer, Spectrum spectrum, double lossPerEnergy, DType stored) {

  /** Bytes of the factors of this rank. */
  long bytesAt(int rank) {
    return stored.bytes(layer.factorElements(rank));
  }

  long denseBytes() {
    return stored.bytes(layer.elements());
  }
}
