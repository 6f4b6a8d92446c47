"""The side of scikit-learn and FAISS of `astroclip bench`: exact search for nearest neighbours among float32 rows."""

import re

import numpy as np

import peer


def search_by(package, rows, threads):
    if package == "faiss":
        import faiss

        faiss.omp_set_num_threads(threads)
        index = faiss.IndexFlatL2(rows.shape[1])
        index.add(rows)
        return "IndexFlatL2", index.search
    import threadpoolctl
    from sklearn.neighbors import NearestNeighbors

    threadpoolctl.threadpool_limits(threads)
    return "brute", NearestNeighbors(algorithm="brute").fit(rows).kneighbors


def main():
    options = peer.options()
    queries, rows, columns, k = map(int, re.findall(r"\d+", options.work))
    random = np.random.default_rng(1)
    draw = lambda count: random.uniform(-1, 1, (count, columns)).astype(np.float32)
    name, search = search_by(options.package, draw(rows), options.threads)
    points = draw(queries)
    search(points, k)
    peer.serve({name: lambda: search(points, k)})


if __name__ == "__main__":
    main()
