// libnnn in hnswlib: a space whose vectors carry their bias as one more float, so that the graph is searched by the debiased score.
//
//   nnn_hnswlib::DebiasedSpace space(dim, centre);                    // outlives the index
//   hnswlib::HierarchicalNSW<float> index(&space, rows, 16, 200);
//   index.addPoint(space.row(x, bias).data(), label);
//   auto queue = index.searchKnn(space.query(q).data(), 10);          // distances: space.score(d) is <q, row> - bias
//   nnn_hnswlib::set_bias(index, space, label, new_bias);             // in place: no new links, the next search knows
//
// centre: about the middle of the biases (nnn_export_limits_f32), which keeps the products of two rows, by which links are made, close
// to those of the rows alone. With 0 a score is that of nnn_search_f32, bit for bit.
// A vector takes dim + 1 floats; the engine's own spaces want theirs padded to a multiple of 16 (nnn_export_dim), this one does not.
#ifndef NNN_HNSWLIB_HPP
#define NNN_HNSWLIB_HPP

#include "nnn.h"

#include <hnswlib/hnswlib.h>

#include <cmath>
#include <cstring>
#include <stdexcept>
#include <vector>

namespace nnn_hnswlib {

class DebiasedSpace : public hnswlib::SpaceInterface<float> {
public:
    explicit DebiasedSpace(std::size_t dim, float centre = 0) : dim_(dim), centre_(centre) {
        if (dim == 0 || dim > NNN_MAX_DIM || !std::isfinite(centre)) throw std::invalid_argument("a dim of 1 to NNN_MAX_DIM, a finite centre");
    }

    size_t get_data_size() override { return (dim_ + 1) * sizeof(float); }
    hnswlib::DISTFUNC<float> get_dist_func() override { return nnn_metric_f32; }
    void *get_dist_func_param() override { return &dim_; }

    /// What addPoint takes: the row and its bias.
    std::vector<float> row(const float *x, float bias) const { return with(x, tail(bias)); }

    /// What searchKnn takes. alpha: 1; or where the biases are means (alpha 1), what they shall be multiplied by for this query.
    std::vector<float> query(const float *x, float alpha = 1) const { return with(x, -alpha); }

    /// The debiased score behind a distance.
    float score(float distance, float alpha = 1) const { return -distance - alpha * centre_; }

    /// The last element of a row's vector.
    float tail(float bias) const {
        if (!std::isfinite(bias)) throw std::invalid_argument("a bias that is not finite");
        return bias - centre_;
    }

    std::size_t dim() const { return dim_; }

private:
    std::vector<float> with(const float *x, float last) const {
        std::vector<float> out(x, x + dim_);
        out.push_back(last);
        return out;
    }

    std::size_t dim_;
    float centre_;
};

/// Changes the bias of a point of an index over this space, whose links stay as they are. Not beside searches, addPoint or another set_bias.
inline void set_bias(hnswlib::HierarchicalNSW<float> &index, const DebiasedSpace &space, hnswlib::labeltype label, float bias) {
    const float tail = space.tail(bias);
    const auto point = index.label_lookup_.find(label);
    if (point == index.label_lookup_.end()) throw std::out_of_range("no point has this label");
    std::memcpy(index.getDataByInternalId(point->second) + space.dim() * sizeof(float), &tail, sizeof tail);
}

}  // namespace nnn_hnswlib

#endif
